import { memory, SecretStore } from 'hot-secrets';
import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/pg';
import { token } from 'hot-secrets/tokens';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startLoad } from '../support/load';
import { leave } from '../support/pg-harness';
import { type PostgresServer, startPostgres } from '../support/postgres';
import { startTokenDatabase, TokenIssuer } from '../support/token-database';
import { waitFor } from '../support/wait-for';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ hba: ['host all app,other 127.0.0.1/32 trust'] });
  await server.query('create role app login');
  await server.query('create role other login');
});
afterAll(() => server.stop());

/** A pool that logs in with tokens, and the user of its recipe in another source. */
async function stage(lifetimeMs: number, options: CreatePoolOptions = {}) {
  const issuer = new TokenIssuer(lifetimeMs);
  const database = await startTokenDatabase(server, issuer);
  const users = memory({ 'db-user': 'app' });
  const errors: string[] = [];
  const secrets = await SecretStore.open({
    secrets: { dbUser: 'db-user', dbToken: 'db-token' },
    sources: [token('db-token', { fetch: issuer.fetch, retryMaxMs: 100 }), users],
    on: { error: ({ code }) => errors.push(code), expiring: () => {} },
  });
  const pool = createPool(
    secrets,
    (s) => ({
      host: database.host,
      port: database.port,
      database: 'postgres',
      user: s.reveal('dbUser'),
      password: s.reveal('dbToken'),
      max: 3,
      idleTimeoutMillis: 0,
    }),
    { retireOverMs: 50, ...options },
  );
  // The tests end sessions on the server.
  pool.on('error', () => {});
  onTestFinished(async () => {
    leave(pool);
    await secrets.close();
    await database[Symbol.asyncDispose]();
  });
  return { issuer, database, users, secrets, pool, errors };
}

/** The sessions on the server, by their process ids. */
async function sessionsOf(pool: HotPool): Promise<number[]> {
  const query = () => pool.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.05)');
  const results = await Promise.all([query(), query(), query()]);
  return results.map(({ rows }) => rows[0]?.pid as number).sort();
}

it('keeps its connections when tokens rotate, and logs in with the newest one', async () => {
  const { database, secrets, pool, issuer } = await stage(2_000);
  const before = await sessionsOf(pool);
  await waitFor(() => issuer.issued > 4, { what: 'four rotations' });
  expect(await sessionsOf(pool)).toEqual(before);
  expect([pool.totalCount, pool.rotation.staleCount]).toEqual([3, 0]);
  // More logins than the pool has connections: each with a token that is valid then.
  await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'`);
  await waitFor(() => pool.totalCount === 0, { what: 'the sessions to end' });
  expect(await sessionsOf(pool)).not.toEqual(before);
  expect(database.refused).toEqual([]);
  expect(secrets.health().status).toBe('ok');
});

/** Rotates, and returns the sessions before and after. */
async function sessionsAround(what: 'user' | 'token' | 'both', retire: CreatePoolOptions['retire']) {
  const { users, pool, secrets } = await stage(600_000, { retire });
  const before = await sessionsOf(pool);
  const { generation } = pool.rotation;
  if (what === 'user') users.set({ 'db-user': 'other' });
  else {
    // A refresh replaces a token that is older than 30 s.
    const now = performance.now.bind(performance);
    performance.now = () => now() + 31_000;
    onTestFinished(() => {
      performance.now = now;
    });
    if (what === 'both') users.set({ 'db-user': 'other' });
    await secrets.refresh();
  }
  const { rotation } = pool;
  await waitFor(() => rotation.generation > generation && rotation.staleCount === 0, {
    what: 'the rotation',
  });
  const after = await sessionsOf(pool);
  return { before, kept: after.filter((pid) => before.includes(pid)) };
}

it.each([
  ['a user that rotates', 'user', undefined],
  ['a user that rotates together with a token', 'both', undefined],
  ['each token with retire: "always"', 'token', 'always'],
] as const)('retires its connections for %s', async (_, what, retire) => {
  expect((await sessionsAround(what, retire)).kept).toEqual([]);
});

it('keeps its connections whatever rotates with retire: "never"', async () => {
  const { before, kept } = await sessionsAround('user', 'never');
  expect(kept).toEqual(before);
});

it('fails no query while a token is valid, with an issuer that is down for half of the time', async () => {
  const { issuer, database, pool, errors, secrets } = await stage(2_000, { authFailureWaitMs: 15_000 });
  // Each query logs in anew, which shows each token that is not accepted.
  const load = startLoad(3, async () => {
    const client = await pool.connect();
    await client.query('select 1').finally(() => client.release(true));
  });
  for (let outage = 0; outage < 4; outage += 1) {
    const { issued } = issuer;
    issuer.down = true;
    await new Promise((resolve) => setTimeout(resolve, 900));
    issuer.down = false;
    await waitFor(() => issuer.issued > issued, { what: 'a token after the outage' });
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { done, failures } = await load.stop();
  expect(failures).toEqual([]);
  expect(done).toBeGreaterThan(50);
  expect(database.refused.filter(({ avoidable }) => avoidable)).toEqual([]);
  expect(new Set(errors)).not.toContain('TOKEN_INVALID');
  expect(secrets.reveal('dbToken')).not.toBe('');
});

it('serves with its connections after the last token has expired, says so, and logs in again with the next one', async () => {
  const { issuer, database, pool, errors, secrets } = await stage(2_000);
  const before = await sessionsOf(pool);
  issuer.down = true;
  await waitFor(() => errors.includes('VALUE_EXPIRED'), { what: 'the end of the token' });
  expect(secrets.health()).toMatchObject({
    status: 'degraded',
    secrets: [{ name: 'dbToken', problem: 'VALUE_EXPIRED' }],
  });
  expect(await sessionsOf(pool)).toEqual(before);
  await server.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'app'`);
  await waitFor(() => pool.totalCount === 0, { what: 'the sessions to end' });
  const waiting = sessionsOf(pool);
  await waitFor(() => database.refused.length > 0, { what: 'a refused login' });
  issuer.down = false;
  expect(await waiting).toHaveLength(3);
  expect(database.refused.every(({ avoidable }) => !avoidable)).toBe(true);
  await waitFor(() => secrets.health().status === 'ok', { what: 'the recovery' });
});
