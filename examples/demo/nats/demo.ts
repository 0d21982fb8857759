import { mkdir, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { hasServer } from '../../../test/support/debian-server';
import { renderChart } from '../database/chart';
import { FULL, SHORT } from '../database/demo';
import { WORKERS } from '../database/load';
import { summarize } from '../database/measure';
import { brokenPromises, type Comparison, renderReport } from '../database/report';
import { run } from '../database/run';
import type { DemoOptions, DemoResult } from '../demo';
import { loadNats } from './client';
import { startHotSecrets } from './hot-secrets';
import { startNaive } from './naive';
import { startServer } from './server';

const NAIVE = 'await nats.close(); nats = await connect()';

/** Rotates the passwords of NATS users under load, first with a naive client, then with hot-secrets. */
export async function natsDemo({ short, color, progress }: DemoOptions): Promise<DemoResult> {
  if (!hasServer('nats-server', 'nats-server')) return { figures: {}, broken: [] };
  const plan = short ? SHORT : FULL;
  progress.line(
    `${WORKERS} workers share a connection to a real NATS server. Each variant gets ${plan.rotations.length} password rotations.`,
  );
  progress.status('Starting NATS');
  const nats = await loadNats();
  await using server = await startServer(nats);
  const naive = await run('naive', startNaive(nats), server, plan, progress);
  const hotSecrets = await run('hot-secrets', startHotSecrets(nats), server, plan, progress);

  const comparison: Comparison = { hotSecrets: summarize(hotSecrets), naive: summarize(naive) };
  const chart = resolve('demo-report', 'nats-latency.svg');
  await mkdir(resolve('demo-report'), { recursive: true });
  const series = [
    { title: `naive: ${NAIVE}`, recording: naive },
    { title: 'hot-secrets', recording: hotSecrets },
  ];
  await writeFile(chart, renderChart(series, 'Request latency while passwords of NATS rotate'));

  progress.line('');
  progress.line(renderReport(comparison, color, { requests: 'requests', server: 'NATS' }));
  progress.line('');
  progress.line(`  naive = ${NAIVE}, whenever the secrets change`);
  progress.line(
    '  NATS ends the sessions of a user whose password changes, so answers that are under way are lost',
  );
  progress.line(`  chart: ${relative('', chart)}`);
  return { figures: comparison, broken: brokenPromises(comparison) };
}
