import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy';
import { type PgHarness, type PoolHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { waitFor } from '../support/wait-for';

let harness: PgHarness;
let proxy: FaultyProxy;
const uncaught: unknown[] = [];
const note = (error: unknown) => uncaught.push(error);
beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', note);
  harness = await startPgHarness({ maxConnections: 60 });
  proxy = await startFaultyProxy(harness.server);
});
afterAll(async () => {
  process.off('uncaughtExceptionMonitor', note);
  await proxy[Symbol.asyncDispose]();
  await harness.server.stop();
});

async function stage(): Promise<PoolHarness & { role: string; rotate(password: string): Promise<void> }> {
  const role = await harness.role('first');
  const made = await poolHarness(harness, role, 'first');
  return {
    ...made,
    role,
    async rotate(password) {
      await harness.alter(role, `password '${password}'`);
      await made.mount.rotate({ password });
    },
  };
}

describe('a pool on a bad day', () => {
  it('serves a cold burst that a plain pg.Pool serves, within twice the time of a login', async () => {
    const { pool: make } = await stage();
    proxy.delayMs = 600;
    onTestFinished(() => {
      proxy.delayMs = 0;
    });
    const pool = make({ port: proxy.port, max: 20, connectionTimeoutMillis: 2_000 });
    const rows = await Promise.all(Array.from({ length: 20 }, () => pool.query('select pg_sleep(0.5)')));
    expect(rows).toHaveLength(20);
  });

  it('says that there are too many connections when others hold every place of the role', async () => {
    const { pool: make, rotate, role } = await stage();
    const { host, port, database } = harness.server;
    const pool = make({ max: 1 }, { verifyTimeoutMs: 500 });
    const held = await pool.connect();
    const others = [0, 1].map(() => new pg.Client({ host, port, database, user: role, password: 'first' }));
    await Promise.all(others.map((other) => other.connect()));
    onTestFinished(async () => {
      await Promise.all(others.map((other) => other.end()));
    });
    await harness.alter(role, 'connection limit 3');
    const rejected: string[] = [];
    pool.rotation.on('rejected', ({ error }) => rejected.push(error.message));
    await rotate('second');
    await waitFor(() => rejected.length === 1);
    expect(rejected[0]).toContain('SQLSTATE 53300: too many connections');
    // The pool keeps its connection, and follows as soon as there is a place.
    expect((await held.query('select 1')).rowCount).toBe(1);
    await harness.alter(role, 'connection limit 10');
    await waitFor(() => pool.rotation.generation === 2);
    held.release();
  });

  it('survives the end of an old session whose client has no error listener', async () => {
    const { pool: make, rotate, role } = await stage();
    const pool = make({}, { retireOverMs: 20 });
    const client = await pool.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await rotate('second');
    await waitFor(() => pool.rotation.generation === 2);
    const closed = new Promise((resolve) => client.once('end', resolve));
    await harness.server.query('select pg_terminate_backend($1)', [rows[0]?.pid]);
    await closed;
    await expect(client.query('select 1')).rejects.toThrow();
    client.release();
    await pool.query('select 1');
    // A query that comes before the replacement of the old session opens a connection of its own.
    await waitFor(async () => pool.totalCount > 0 && (await harness.backends(role)) === pool.totalCount);
  });

  it('ends while replacements cannot log in, and logs in no more', async () => {
    const { pool: make, rotate } = await stage();
    const pool = make({ port: proxy.port, max: 3 });
    await pool.query('select 1');
    pool.rotation.on('swapped', () => {
      proxy.refuses = true;
    });
    onTestFinished(() => {
      proxy.refuses = false;
    });
    const before = proxy.refused;
    await rotate('second');
    await waitFor(() => proxy.refused > before);
    await pool.end();
    const after = proxy.refused;
    await rotate('third');
    await make({ port: harness.server.port }).query('select 1');
    expect(proxy.refused).toBe(after);
  });

  it('makes no caller wait longer than connectionTimeoutMillis, refused logins included', async () => {
    const { pool: make, role } = await stage();
    const pool = make({ max: 2, connectionTimeoutMillis: 1_200 });
    const client = await pool.connect();
    await harness.alter(role, 'nologin');
    const start = performance.now();
    await expect(pool.query('select 1')).rejects.toThrow();
    expect(performance.now() - start).toBeLessThan(1_800);
    client.release();
  });
});

describe('the probe of a pool', () => {
  it('uses the Client of the recipe', async () => {
    const { pool: make, rotate } = await stage();
    const made: string[] = [];
    class Own extends pg.Client {
      constructor(config?: pg.ClientConfig) {
        super(config);
        made.push(String(config?.password));
      }
    }
    const pool = make({ Client: Own as never });
    await rotate('second');
    await waitFor(() => pool.rotation.generation === 2);
    expect(made).toEqual(['second']);
  });
});

describe('LISTEN', () => {
  it.each([
    ['a statement alone', ['LISTEN a'], 1],
    ['a comment before it', ['/* app */ LISTEN a'], 1],
    ['another statement before it', ["select 'unlisten a'; LISTEN a"], 1],
    ['a transaction', ['begin; LISTEN a; commit'], 1],
    ['a quoted channel', ['listen "A ""b"""'], 1],
    ['one of two channels left', ['LISTEN a; LISTEN b', 'UNLISTEN a'], 1],
    ['every channel left', ['LISTEN a; LISTEN "b"', 'UNLISTEN "b"; unlisten a'], 0],
    ['UNLISTEN *', ['LISTEN a', 'UNLISTEN *'], 0],
    ['DISCARD ALL', ['LISTEN a', 'DISCARD ALL'], 0],
    ['a text that only mentions it', ["select 'listen a' -- listen a"], 0],
  ])('counts the listeners of an old credential: %s', async (_form, texts, count) => {
    const { pool: make, rotate } = await stage();
    const pool = make();
    const client = await pool.connect();
    for (const text of texts) await client.query(text);
    await rotate('second');
    await waitFor(() => pool.rotation.generation === 2);
    expect([pool.rotation.staleCount, pool.rotation.listeningCount]).toEqual([1, count]);
    client.release();
  });
});
