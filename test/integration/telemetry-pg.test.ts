import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { mountedFiles, rotating, SecretStore, secret } from 'hot-secrets';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { createPool } from 'hot-secrets/pg';
import { createTestMount } from 'hot-secrets/testing';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { channelNames } from '../../src/observe/channels';
import { codeIn, docsTable } from '../package/support/docs-table';
import { createAuthority } from '../support/certificates';
import { type PgHarness, startPgHarness } from '../support/pg-harness';
import { telemetry, valueIn } from '../support/telemetry';
import { linesOf } from '../support/tls-harness';
import { waitFor } from '../support/wait-for';

const DAY_MS = 86_400_000;
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

/** Records the messages of all channels. Reads `caller` at once, because it is only available then. */
function listenToAll(): Map<string, Record<string, unknown>[]> {
  const received = new Map<string, Record<string, unknown>[]>(channelNames.map((name) => [name, []]));
  for (const [name, messages] of received) {
    const listener = (message: unknown) => {
      const { caller } = message as { readonly caller?: string };
      messages.push({ ...(message as object), ...(caller === undefined ? {} : { caller }) });
    };
    subscribe(name, listener);
    onTestFinished(() => void unsubscribe(name, listener));
  }
  return received;
}

/** Starts a service with a store and a pool. `alter` changes the password on the server alone. */
async function service() {
  const { host, port, database } = harness.server;
  const role = await harness.role('leak-marker-0');
  const authority = await createAuthority();
  const [first, ending] = await Promise.all(
    [90, 5].map(async (days) => {
      // Lifetimes of up to 90 days are announced by shares, which five days of a year are not.
      const notBefore = new Date(Date.now() - 300 * DAY_MS);
      const notAfter = new Date(Date.now() + days * DAY_MS);
      const { chain, key } = await authority.issue({ commonName: 'shop', notBefore, notAfter });
      return chain + key;
    }),
  );
  const mount = await createTestMount({
    user: role,
    password: 'leak-marker-0',
    token: 'leak-marker-token',
    web: first as string,
  });
  onTestFinished(() => mount.cleanup());
  const secrets = await SecretStore.open({
    name: 'shop',
    secrets: { user: 'user', password: 'password', token: 'token', web: secret.tls('web') },
    sources: [mountedFiles(mount.path)],
  });
  onTestFinished(() => secrets.close());
  for (const event of ['error', 'expiring'] as const) secrets.on(event, () => {});
  const pool = createPool(
    secrets,
    (s) => ({ host, port, database, user: s.reveal('user'), password: s.reveal('password') }),
    { retireOverMs: 20, retryBaseMs: 20, retryMaxMs: 20 },
  );
  onTestFinished(() => void pool.end());
  for (const event of ['rejected', 'refused'] as const) pool.rotation.on(event, () => {});
  return {
    mount,
    secrets,
    pool,
    alter: (password: string) => harness.alter(role, `password '${password}'`),
    async rotate(password: string) {
      await harness.alter(role, `password '${password}'`);
      await mount.rotate({ password });
    },
    /** Rotates to a certificate that expires in five days. */
    rotateToExpiring: () => mount.rotate({ web: ending as string }),
    hidden: ['leak-marker', ...linesOf(`${first}${ending}`.replace(CERTIFICATES, ''))],
  };
}

it('publishes to every channel of docs/telemetry.md with the documented payload and without values', async () => {
  const rows = docsTable('telemetry.md', 'channel').map(([name, , payload]) => ({
    name: codeIn(name)[0] ?? '',
    // Explanations in brackets contain no keys.
    keys: codeIn(payload?.replace(/\([^)]*\)/g, '')),
  }));
  expect(rows.map(({ name }) => name)).toEqual(channelNames);

  const received = listenToAll();
  const count = (name: string) => received.get(name)?.length ?? 0;
  const { mount, secrets, pool, alter, rotate, rotateToExpiring, hidden } = await service();
  const token = rotating(secrets, {
    build: (s) => s.reveal('token').length,
    dispose() {
      throw new Error(secrets.reveal('token'));
    },
  });
  token.on('error', () => {});
  await token.ready;
  await pool.query('select 1');
  for (const round of [1, 2, 3]) {
    await rotate(`leak-marker-${round}`);
    await waitFor(() => pool.rotation.generation === 1 + round);
    expect((await pool.query('select 1')).rowCount).toBe(1);
  }
  // First the file is ahead of the server, then the server is ahead of the file.
  await mount.rotate({ password: 'leak-marker-4' });
  await waitFor(() => count('hot-secrets:rotation:rejected') > 0);
  await alter('leak-marker-4');
  await waitFor(() => pool.rotation.generation === secrets.generation);
  await waitFor(() => pool.rotation.staleCount === 0 && pool.totalCount === pool.idleCount);
  await alter('leak-marker-5');
  const busy = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()));
  const query = pool.query('select 1');
  await waitFor(() => count('hot-secrets:credential:refused') > 0);
  await mount.rotate({ password: 'leak-marker-5' });
  expect((await query).rowCount).toBe(1);
  for (const client of busy) client.release();
  await mount.rotate({ token: '' });
  await waitFor(() => count('hot-secrets:store:error') > 0);
  await mount.rotate({ token: 'leak-marker-next' });
  await waitFor(() => count('hot-secrets:rotation:error') > 0);
  await rotateToExpiring();
  await waitFor(() => count('hot-secrets:store:expiring') > 0);
  await waitFor(() => count('hot-secrets:rotation:drain') >= 5);
  await pool.end();
  await secrets.close();

  const storeId = received.get('hot-secrets:store:open')?.[0]?.storeId;
  for (const { name, keys } of rows) {
    const messages = received.get(name) ?? [];
    expect(messages.length, name).toBeGreaterThan(0);
    const ofResource = /:(rotation|credential):/.test(name) ? ['resource', 'kind', 'resourceId'] : [];
    for (const message of messages) {
      expect(Object.keys(message).sort(), name).toEqual(['store', 'storeId', ...ofResource, ...keys].sort());
      expect(message, name).toMatchObject({ store: 'shop', storeId });
    }
  }
  expect(received.get('hot-secrets:secret:access')?.[0]?.caller).toContain('telemetry-pg.test.ts:');
  const shown = inspect([...received], { depth: 20, showHidden: true, getters: true, maxArrayLength: null });
  for (const value of hidden) expect(shown).not.toContain(value);
});

it('counts draining connections of a pool and its refused credential in metrics, without values', async () => {
  const { mount, secrets, pool, alter, rotate } = await service();
  const { meterProvider, tracerProvider, series, spans, metrics } = telemetry();
  instrumentSecrets(secrets, { meterProvider, tracerProvider, access: true });
  const connections = async () => {
    const all = await series('hot_secrets.resource.connection.count');
    return ['current', 'draining'].map((state) => valueIn(all, { 'hot_secrets.connection.state': state }));
  };
  for (const round of [1, 2, 3]) {
    const busy = await pool.connect();
    await rotate(`leak-marker-${round}`);
    await waitFor(() => pool.rotation.generation === 1 + round);
    await pool.query('select 1');
    // The idle old connections are replaced; the one in use drains.
    await waitFor(async () => (await connections())[1] === 1);
    expect((await connections())[0]).toBeGreaterThanOrEqual(1);
    busy.release();
    await waitFor(async () => (await connections())[1] === 0);
  }
  const refused = async () => valueIn(await series('hot_secrets.resource.refused'));
  const busy = await Promise.all(Array.from({ length: pool.idleCount }, () => pool.connect()));
  await alter('leak-marker-4');
  const query = pool.query('select 1');
  await waitFor(async () => (await refused()) === 1);
  await mount.rotate({ password: 'leak-marker-4' });
  await query;
  expect(await refused()).toBe(0);
  for (const client of busy) client.release();

  await waitFor(() => spans().filter(({ name }) => name === 'rotate pool').length >= 4);
  const shown = inspect([await metrics(), spans().map((span) => ({ ...span }))], {
    depth: 20,
    showHidden: true,
    getters: true,
    maxArrayLength: null,
  });
  expect(shown).toContain('hot_secrets.resource.refused');
  expect(shown).not.toContain('leak-marker');
});
