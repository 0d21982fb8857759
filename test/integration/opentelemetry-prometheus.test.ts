import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { DataPointType, MeterProvider, type MetricData } from '@opentelemetry/sdk-metrics';
import { mountedFiles, rotating, SecretStore, SecretsError, secret } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { createTestMount } from 'hot-secrets/testing';
import { expect, it, onTestFinished } from 'vitest';
import { codeIn, docsTable } from '../package/support/docs-table';
import { createAuthority } from '../support/certificates';
import { serve } from '../support/http-server';
import { linesOf } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const DAY_MS = 86_400_000;
const BAD = 'leak-marker-bad';

/** Starts a service with a certificate, an agent and a client, which Prometheus can scrape. */
async function service() {
  const authority = await createAuthority();
  const keys: string[] = [];
  const pair = async (days: number) => {
    const notAfter = new Date(Date.now() + days * DAY_MS);
    const { chain, key } = await authority.issue({ commonName: 'shop', notAfter });
    keys.push(...linesOf(key));
    return { 'web.crt': chain, 'web.key': key };
  };
  const mount = await createTestMount({ password: 'leak-marker-0', ...(await pair(10)) });
  onTestFinished(() => mount.cleanup());
  const secrets = await SecretStore.open({
    name: 'shop',
    secrets: { password: 'password', web: secret.tls({ cert: 'web.crt', key: 'web.key' }) },
    sources: [mountedFiles(mount.path)],
    expiryThresholdsDays: [],
  });
  onTestFinished(() => secrets.close());
  secrets.on('error', () => {});

  const exporter = new PrometheusExporter({ preventServerStart: true });
  const meterProvider = new MeterProvider({ readers: [exporter] });
  onTestFinished(() => meterProvider.shutdown());
  instrumentSecrets(secrets, { meterProvider, access: true });
  const url = await serve((request, response) => exporter.getMetricsRequestHandler(request, response));

  const agent = createAgent(secrets, (s) => ({ cert: s.reveal('web').cert, key: s.reveal('web').key }));
  onTestFinished(() => agent.destroy());
  const client = rotating(
    secrets,
    {
      build(s) {
        if (s.reveal('password') === BAD) throw new SecretsError('BUILD_FAILED', 'the user is not known');
      },
      dispose() {
        throw new Error('it hung up before');
      },
    },
    { name: 'client', retryBaseMs: 5, retryMaxMs: 5 },
  );
  onTestFinished(() => client.close());
  client.on('rejected', () => {});
  client.on('error', () => {});
  await client.ready;

  async function scrape(): Promise<string> {
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    return response.text();
  }
  return {
    mount,
    secrets,
    agent,
    client,
    pair,
    keys,
    scrape,
    collect: async (): Promise<MetricData[]> =>
      (await exporter.collect()).resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics),
    /** The value of the one line of this metric that has all these labels. */
    async value(metric: string, ...labels: string[]): Promise<number | undefined> {
      const lines = (await scrape()).split('\n').filter((line) => line.startsWith(`${metric}{`));
      const found = lines.filter((line) => labels.every((label) => line.includes(label)));
      expect(found.length).toBeLessThanOrEqual(1);
      return found[0] === undefined ? undefined : Number(found[0].split(' ').at(-1));
    },
  };
}

it('exposes rotations, rejections, errors, recovery and the days until expiry to Prometheus, without values', async () => {
  const { mount, secrets, client, pair, keys, scrape, value } = await service();
  for (const round of [1, 2, 3]) {
    await mount.rotate({ password: `leak-marker-${round}` });
    await waitFor(() => client.generation === 1 + round);
  }
  expect(await value('hot_secrets_resource_rotations_total', '"client"', '"swapped"')).toBe(4);
  expect(await value('hot_secrets_secret_rotations_total', '"password"', '"watch"')).toBe(3);
  expect(await value('hot_secrets_refresh_duration_count', '"watch"', '"changed"')).toBe(3);

  await mount.rotate({ password: BAD });
  await waitFor(async () => (await value('hot_secrets_resource_rejected', '"client"')) === 1);
  expect(await value('hot_secrets_resource_rejections_total', 'error_type="BUILD_FAILED"')).toBe(1);
  await mount.rotate({ password: 'leak-marker-5' });
  await waitFor(async () => (await value('hot_secrets_resource_rejected', '"client"')) === 0);
  expect(await value('hot_secrets_resource_generation', '"client"')).toBe(secrets.generation);

  const ok = () => value('hot_secrets_store_status', 'hot_secrets_store_state="ok"');
  expect(await ok()).toBe(1);
  await mount.rotate({ password: '' });
  await waitFor(async () => (await ok()) === 0);
  expect(await value('hot_secrets_store_errors_total', 'error_type="VALUE_EMPTY"', '"password"')).toBe(1);
  await mount.rotate({ password: 'leak-marker-6' });
  await waitFor(async () => (await ok()) === 1);

  expect(await value('hot_secrets_secret_time_left', '"web"', '"leaf"', '"shop"')).toBeCloseTo(10, 1);
  await mount.rotate(await pair(80));
  await waitFor(async () => ((await value('hot_secrets_secret_time_left')) ?? 0) > 79);
  await waitFor(
    async () => (await value('hot_secrets_resource_generation', '"HTTPS agent"')) === secrets.generation,
  );
  expect(await value('hot_secrets_secret_reads_total', '"web"')).toBeGreaterThanOrEqual(4);
  const page = await scrape();
  for (const hidden of ['leak-marker', ...keys]) expect(page).not.toContain(hidden);
});

it('publishes exactly the metrics of docs/telemetry.md, under the documented names of a scrape', async () => {
  const { mount, secrets, client, scrape, collect } = await service();
  await mount.rotate({ password: BAD });
  await waitFor(async () => (await scrape()).includes('rejections_total{'));
  await mount.rotate({ password: 'leak-marker-1' });
  await waitFor(() => client.generation === secrets.generation);
  await mount.rotate({ password: '' });
  await waitFor(async () => (await scrape()).includes('store_errors_total{'));

  await mount.destroy();
  await secrets.refresh();

  const short = docsTable('telemetry.md', 'in the table').map(([word, name]) => [word, codeIn(name)[0]]);
  const documented = docsTable('telemetry.md', 'metric').map(([name, instrument, unit, attributes = '']) => {
    const words: readonly string[] = attributes.replace(/`[^`]*`/g, '').match(/\w+/g) ?? [];
    const named = short.filter(([word]) => words.includes(word as string)).map(([, full]) => full);
    return [...codeIn(name), instrument, ...codeIn(unit), [...codeIn(attributes), ...named].sort()];
  });
  const made = (await collect()).map((metric) => {
    const { name, unit } = metric.descriptor;
    const attributes = new Set(metric.dataPoints.flatMap((point) => Object.keys(point.attributes)));
    return [name, instrumentOf(metric), unit, [...attributes].sort()];
  });
  expect(documented.sort()).toEqual(made.sort());

  const scraped = [...(await scrape()).matchAll(/^# TYPE (hot_secrets\S+) (\S+)$/gm)].map(
    ([, ...type]) => type,
  );
  const listed = docsTable('telemetry.md', 'scraped').map(([name, type]) => [...codeIn(name), type]);
  expect(listed.sort()).toEqual(scraped.sort());
});

function instrumentOf(metric: MetricData): string {
  if (metric.dataPointType === DataPointType.GAUGE) return 'Gauge';
  if (metric.dataPointType === DataPointType.SUM) return metric.isMonotonic ? 'Counter' : 'UpDownCounter';
  return 'Histogram';
}
