import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../support/wait-for';
import { openStage, POOLS, type Stage } from '../support/stage';

type Client = pg.PoolClient & { pipeline?: boolean };

/** What pg-pool 3.8 to 3.14 test in addition, and better versions of the tests that do not count. */
describe.each(POOLS)('newer tests with %s', (name) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(name);
  });
  afterAll(() => stage.close());

  // Rotation replaces connections, so these say which option of pg keeps or closes one, not which of them.
  it.each([
    [1, 1],
    [2, 1],
    [2, 2],
  ])('keeps %s idle connections of at most %s as min says', async (max, min) => {
    const pool = stage.pool({ max, min, idleTimeoutMillis: 10 });
    const clients = await Promise.all(Array.from({ length: max }, () => pool.connect()));
    for (const client of clients) client.release();
    await waitFor(() => pool.idleCount === min && pool.totalCount === min);
    await stage.rotation();
    await waitFor(() => pool.idleCount === min && pool.totalCount === min);
  });

  it('closes a connection below min that has been used maxUses times', async () => {
    const pool = stage.pool({ max: 1, min: 1, maxUses: 1 });
    (await pool.connect()).release();
    expect([pool.idleCount, pool.totalCount]).toEqual([0, 0]);
  });

  it('closes a connection below min at the end of its lifetime', async () => {
    const pool = stage.pool({ max: 1, min: 1, maxLifetimeSeconds: 1 });
    const removed = new Promise((resolve) => pool.once('remove', resolve));
    const client = await pool.connect();
    client.release();
    expect(await removed).toBeDefined();
  });

  it('closes the idle connection at its timeout after another one was released with an error', async () => {
    const pool = stage.pool({ idleTimeoutMillis: 10 });
    const [idle, broken] = await Promise.all([pool.connect(), pool.connect()]);
    const removed: pg.PoolClient[] = [];
    pool.on('remove', (client) => removed.push(client));
    idle.release();
    broken.release(new Error('broken'));
    await waitFor(() => removed.includes(idle) && removed.includes(broken));
    await waitFor(() => pool.totalCount === 0);
  });

  it('emits acquire and release once for each use of a connection', async () => {
    const pool = stage.pool();
    const seen = { acquire: 0, release: 0 };
    pool.on('acquire', () => {
      seen.acquire += 1;
    });
    pool.on('release', () => {
      seen.release += 1;
    });
    const uses = Array.from({ length: 10 }, async () => (await pool.connect()).release());
    const queries = Array.from({ length: 10 }, () => pool.query('select 1'));
    await Promise.all([...uses, ...queries]);
    // A replacement of a rotation is acquired and released, too.
    expect(seen.acquire).toBeGreaterThanOrEqual(20);
    expect(seen.release).toBe(seen.acquire);
  });

  // While the server refuses the password, an ending pool of createPool does not wait for the next one.
  it('serves every pending query before end() settles', () =>
    stage.steady(async () => {
      const pool = stage.pool({ max: 20 });
      let served = 0;
      for (let query = 0; query < 20; query += 1) {
        void pool.query('select $1::int as n', [query]).then(() => {
          served += 1;
        });
      }
      await pool.end();
      expect(served).toBe(20);
    }));

  it('returns undefined from the forms with callbacks, and promises from the others', async () => {
    const pool = stage.pool();
    await new Promise<void>((resolve) => {
      const result: unknown = pool.connect((_error, _client, release) => {
        release();
        resolve();
      });
      expect(result).toBeUndefined();
    });
    await new Promise<void>((resolve) => {
      const result: unknown = pool.query('select 1', () => resolve());
      expect(result).toBeUndefined();
    });
    await new Promise<void>((resolve) => {
      const result: unknown = pool.end(() => resolve());
      expect(result).toBeUndefined();
    });
    expect(stage.pool().end()).toBeInstanceOf(Promise);
  });

  it('pipelines queries only if the pool says so', async () => {
    const pool = stage.pool({ pipeline: true } as pg.PoolConfig);
    const client: Client = await pool.connect();
    expect(client.pipeline).toBe(true);
    const answers = await Promise.all([1, 2, 3].map((n) => client.query(`select ${n} as n`)));
    expect(answers.map(({ rows }) => rows[0].n)).toEqual([1, 2, 3]);
    client.release();
    const plain: Client = await stage.pool().connect();
    expect(plain.pipeline).toBe(false);
    plain.release();
  });

  it('shows the Client of pg, whose clients log in with the options of the pool', async () => {
    const pool = stage.pool() as pg.Pool & { Client: typeof pg.Client };
    expect(pool.Client).toBe(pg.Client);
    await pool.query('select 1');
    await stage.rotation();
    expect(pool.Client).toBe(pg.Client);
  });

  describe('onConnect', () => {
    it('runs once for each connection, before its first use', async () => {
      const prepared = new WeakSet<object>();
      let calls = 0;
      const pool = stage.pool({
        max: 2,
        onConnect: async (client) => {
          calls += 1;
          await client.query(`set application_name = 'prepared'`);
          prepared.add(client);
        },
      } as pg.PoolConfig);
      const opened = new Set<object>();
      pool.on('connect', (client) => opened.add(client));
      const clients = await Promise.all([pool.connect(), pool.connect()]);
      for (const client of clients) {
        expect(prepared.has(client)).toBe(true);
        client.release();
      }
      for (let use = 0; use < 10; use += 1) {
        expect((await pool.query('show application_name')).rows).toEqual([{ application_name: 'prepared' }]);
      }
      // A replacement may be between its hook and its event.
      expect(calls - opened.size).toBeLessThanOrEqual(1);
    });

    it.each([
      [
        'throws',
        () => {
          throw new Error('hook');
        },
      ],
      ['rejects', () => Promise.reject(new Error('hook'))],
      ['fails in a query', (client: pg.ClientBase) => client.query('select hook')],
    ])('passes its error to the caller if it %s, keeps no connection, and recovers', async (_how, hook) => {
      let failing = true;
      const pool = stage.pool({
        max: 2,
        onConnect: (client) => (failing ? hook(client) : undefined),
      } as pg.PoolConfig);
      for (let call = 0; call < 10; call += 1) await expect(pool.connect()).rejects.toThrow('hook');
      await expect(pool.query('select 1')).rejects.toThrow('hook');
      expect([pool.idleCount, pool.totalCount, pool.waitingCount]).toEqual([0, 0, 0]);
      failing = false;
      const clients = await Promise.all([pool.connect(), pool.connect()]);
      expect((await clients[0].query('select 1 as n')).rows).toEqual([{ n: 1 }]);
      for (const client of clients) client.release();
    });
  });
});
