import type { SecretsError } from 'hot-secrets';
import type { HotPool } from 'hot-secrets/mysql2';
import mysql from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy';
import { startHoldingProxy } from '../support/holding-proxy';
import { startLoad } from '../support/load';
import {
  ended,
  type MysqlHarness,
  type PoolHarness,
  poolHarness,
  startMysqlHarness,
} from '../support/mysql-harness';
import { hasMysqlServer } from '../support/mysql-programs';
import { waitFor } from '../support/wait-for';

const SLACK_MS = 1_500;

/** Keeps a call that a failing test leaves behind from being an unhandled rejection. */
function pending<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

/** The error of a call that must fail, and how long the call took. */
async function failure(call: Promise<unknown>): Promise<{ errno: unknown; code: unknown; ms: number }> {
  const startedAt = performance.now();
  const error = await call.then(
    () => {
      throw new Error('The call did not fail.');
    },
    (thrown: { errno?: unknown; code?: unknown }) => thrown,
  );
  return { errno: error.errno, code: error.code, ms: performance.now() - startedAt };
}

describe.runIf(hasMysqlServer())('a pool of mysql2 on a bad day', () => {
  let harness: MysqlHarness;
  let proxy: FaultyProxy;
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);
  beforeAll(async () => {
    process.on('uncaughtExceptionMonitor', note);
    harness = await startMysqlHarness({ blockAfter: 3, settings: { max_connections: '60' } });
    proxy = await startFaultyProxy(harness.server);
  });
  afterEach(() => {
    proxy.refuses = false;
    proxy.delayMs = 0;
    expect(uncaught).toEqual([]);
  });
  afterAll(async () => {
    process.off('uncaughtExceptionMonitor', note);
    await proxy[Symbol.asyncDispose]();
    await harness.server.stop();
  });

  async function stage(): Promise<PoolHarness & { user: string; rotate(password: string): Promise<void> }> {
    const user = await harness.user('first');
    const made = await poolHarness(harness, user, 'first');
    return {
      ...made,
      user,
      async rotate(password) {
        await harness.alter(user, `identified by '${password}'`);
        await made.mount.rotate({ password });
      },
    };
  }

  /** The connections that a pool has not yet lost. */
  const openIn = (pool: HotPool) =>
    (pool as unknown as { readonly _allConnections: { readonly length: number } })._allConnections.length;

  const query = (pool: HotPool, sql = 'select 1 as n') =>
    pool
      .promise()
      .query(sql)
      .then(([rows]) => rows);

  /** A plain pool of mysql2, whose password an application assigns by hand. */
  function plainPool({ secrets, user }: Awaited<ReturnType<typeof stage>>, config: mysql.PoolOptions) {
    const { host, port, database } = harness.server;
    const plain = mysql.createPool({ host, port, database, user, password: 'first', ...config });
    secrets.on('change', () => {
      const inner = plain.pool.config as unknown as { connectionConfig: { password: string } };
      inner.connectionConfig.password = secrets.reveal('password');
    });
    onTestFinished(() => plain.end());
    return plain;
  }

  describe('while the server refuses its credential', () => {
    it('rejects callers with the refusal after authFailureWaitMs, and later callers at once', async () => {
      const { pool: make, user } = await stage();
      await harness.alter(user, `identified by 'other'`);
      const pool = make({ connectionLimit: 5 }, { authFailureWaitMs: 500 });
      pool.rotation.on('refused', () => {});
      const failures = await Promise.all(Array.from({ length: 30 }, () => failure(query(pool))));
      for (const { errno, ms } of failures) {
        expect(errno).toBe(1045);
        expect(ms).toBeGreaterThanOrEqual(490);
        expect(ms).toBeLessThan(500 + SLACK_MS);
      }
      expect((await failure(query(pool))).ms).toBeLessThan(SLACK_MS);
      expect(harness.refused(user)).toBeLessThanOrEqual(2);
    });

    it('rejects callers after authFailureWaitMs while the only open connection stays checked out', async () => {
      const { pool: make, user } = await stage();
      const pool = make({}, { authFailureWaitMs: 400 });
      pool.rotation.on('refused', () => {});
      const held = await pool.promise().getConnection();
      await harness.alter(user, `identified by 'other'`);
      const { errno, ms } = await failure(query(pool));
      expect(errno).toBe(1045);
      expect(ms).toBeGreaterThanOrEqual(390);
      expect(ms).toBeLessThan(400 + SLACK_MS);
      held.release();
      // The released connection serves the next caller.
      expect(await query(pool)).toEqual([{ n: 1 }]);
    });

    it('rejects callers after two seconds while no login has ever succeeded', async () => {
      const { pool: make, user } = await stage();
      await harness.alter(user, `identified by 'other'`);
      const pool = make();
      const refused: unknown[] = [];
      pool.rotation.on('refused', ({ error }) => refused.push(error.code));
      const { errno, ms } = await failure(query(pool));
      expect([errno, refused]).toEqual([1045, ['CREDENTIAL_REFUSED']]);
      expect(ms).toBeLessThan(5_000);
    });

    it.each([
      ['a locked account', 'account lock', 'account unlock', 'locked', 'the account is locked'],
      [
        'an expired password',
        'password expire',
        `identified by 'first'`,
        'expired',
        'the password has expired',
      ],
    ] as const)(
      'serves waiting callers once the server accepts the same credential again: %s',
      async (_kind, bad, good, refusal, told) => {
        const { pool: make, user } = await stage();
        const pool = make({}, { authFailureWaitMs: 30_000 });
        const events: string[] = [];
        pool.rotation.on('refused', ({ error }) => events.push(error.message));
        pool.rotation.on('accepted', () => events.push('accepted'));
        await query(pool);
        (await pool.promise().getConnection()).destroy();
        await harness.alter(user, bad);
        const queries = pending(Promise.all([1, 2, 3].map(() => query(pool))));
        await waitFor(() => events.length === 1);
        expect(events[0]).toContain(`${harness.errnos[refusal]}: ${told}`);
        await harness.alter(user, good);
        expect(await queries).toHaveLength(3);
        expect(events.slice(1)).toEqual(['accepted']);
      },
    );

    it('does not lock its account while the server is ahead of the file, where a plain pool does', async () => {
      const made = await stage();
      const { pool: make, user, mount } = made;
      const pool = make({ connectionLimit: 10 });
      pool.rotation.on('refused', () => {});
      await query(pool);
      await harness.alter(user, `identified by 'second'`);
      await harness.kill(user);
      await waitFor(() => openIn(pool) === 0);
      const queries = pending(Promise.all(Array.from({ length: 30 }, () => query(pool))));
      // Long enough for the second login.
      await waitFor(() => harness.refused(user) === 2);
      await mount.rotate({ password: 'second' });
      expect(await queries).toHaveLength(30);
      expect(harness.refused(user)).toBe(2);

      const other = await stage();
      const plain = plainPool(other, {});
      await plain.query('select 1');
      await harness.alter(other.user, `identified by 'second'`);
      await harness.kill(other.user);
      const codes = await Promise.all(Array.from({ length: 30 }, () => failure(plain.query('select 1'))));
      expect(codes.map(({ errno }) => errno)).toContain(harness.errnos.blocked);
      await harness.server.query('flush privileges');
    });

    it('reports a blocked account, and follows the next credential', async () => {
      const { pool: make, user, rotate } = await stage();
      const { host, port } = harness.server;
      const pool = make({}, { authFailureWaitMs: 30_000 });
      const refused: SecretsError[] = [];
      pool.rotation.on('refused', ({ error }) => refused.push(error));
      for (const _attempt of [1, 2, 3]) {
        await expect(mysql.createConnection({ host, port, user, password: 'guess' })).rejects.toThrow();
      }
      const waiting = pending(query(pool));
      await waitFor(() => refused.length === 1);
      expect(refused[0]?.message).toContain(
        `${harness.errnos.blocked}: the account is blocked after too many refused logins`,
      );
      // A new password ends the block in MariaDB only.
      await harness.alter(user, 'account unlock');
      await rotate('second');
      expect(await waiting).toEqual([{ n: 1 }]);
    });
  });

  describe('while connections fail', () => {
    it('fails no more queries than a plain pool when the server ends its sessions', async () => {
      const made = await stage();
      const pools = [made.pool({ connectionLimit: 5 }).promise(), plainPool(made, { connectionLimit: 5 })];
      const loads = pools.map((pool) => startLoad(5, () => pool.query('select sleep(0.002)')));
      await waitFor(() => loads.every(({ done }) => done > 50));
      for (const _round of [1, 2, 3]) {
        await harness.kill(made.user);
        const reached = loads.map(({ done }) => done + 50);
        await waitFor(() => loads.every(({ done }, index) => done > (reached[index] as number)));
      }
      const [ours, plain] = await Promise.all(loads.map((load) => load.stop()));
      // Each kill ends at most the five running queries.
      expect(ours?.failures.length).toBeLessThanOrEqual(15);
      expect(plain?.failures.length).toBeLessThanOrEqual(15);
    });

    it.each([10, 20])(
      'fails no query while no login succeeds after a rotation (limit %i, 10 callers)',
      async (limit) => {
        const { pool: make, rotate } = await stage();
        const pool = make({ port: proxy.port, connectionLimit: limit });
        const load = startLoad(10, () => query(pool, 'select sleep(0.02)'));
        await waitFor(() => load.done > 100);
        pool.rotation.on('swapped', () => {
          proxy.refuses = true;
        });
        await rotate('second');
        await waitFor(() => proxy.refuses);
        const before = load.done;
        await waitFor(() => load.done > before + 300);
        proxy.refuses = false;
        await waitFor(() => pool.rotation.staleCount === 0);
        expect((await load.stop()).failures).toEqual([]);
      },
    );

    it('keeps all connections but two in service while logins take a second', async () => {
      const { pool: make, rotate } = await stage();
      const pool = make({ port: proxy.port, connectionLimit: 12 });
      const load = startLoad(24, () => query(pool, 'select sleep(0.1)'));
      const internals = pool as unknown as { _allConnections: { toArray(): { loggingIn: boolean }[] } };
      const serving = () => internals._allConnections.toArray().filter(({ loggingIn }) => !loggingIn).length;
      await waitFor(() => serving() === 12);
      proxy.delayMs = 1_000;
      let fewest = 12;
      const watch = setInterval(() => {
        fewest = Math.min(fewest, serving());
      }, 10);
      onTestFinished(() => clearInterval(watch));
      await rotate('second');
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount <= 8, {
        timeoutMs: 20_000,
      });
      proxy.delayMs = 0;
      await waitFor(() => pool.rotation.staleCount === 0);
      expect((await load.stop()).failures).toEqual([]);
      expect(fewest).toBeGreaterThanOrEqual(10);
    });

    it('serves a cold burst in the time of a few logins, not of one for each caller', async () => {
      const { pool: make } = await stage();
      proxy.delayMs = 600;
      const pool = make({ port: proxy.port, connectionLimit: 20, connectTimeout: 10_000 });
      const start = performance.now();
      await Promise.all(Array.from({ length: 20 }, () => query(pool, 'select sleep(0.2)')));
      expect(performance.now() - start).toBeLessThan(10 * 600);
    });

    it('rejects every caller with ECONNREFUSED while the server is down, as a plain pool does', async () => {
      const made = await stage();
      const pools = [
        made.pool({ port: 1, connectionLimit: 3 }).promise(),
        plainPool(made, { port: 1, connectionLimit: 3 }),
      ];
      for (const pool of pools) {
        const failures = await Promise.all(Array.from({ length: 30 }, () => failure(pool.query('select 1'))));
        expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['ECONNREFUSED']));
      }
    });

    it('rotates a user whose connections are limited to those of the pool', async () => {
      const { pool: make, rotate, user } = await stage();
      await harness.alter(user, 'with max_user_connections 5');
      const rejected: string[] = [];
      // The pool may grow beyond the limit of the server, too.
      const pool = make({ connectionLimit: 8 }, { retryBaseMs: 100 });
      pool.rotation.on('rejected', ({ error }) => rejected.push(error.message));
      const held = await Promise.all([1, 2, 3, 4, 5].map(() => pool.promise().getConnection()));
      for (const connection of held) connection.release();
      const load = startLoad(4, () => query(pool, 'select sleep(0.02)'));
      await rotate('second');
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
      expect((await load.stop()).failures).toEqual([]);
      expect(rejected).toEqual([]);
      await harness.alter(user, 'with max_user_connections 0');
    });

    it('says that a limit is reached when others hold every place of the user', async () => {
      const { pool: make, rotate, user } = await stage();
      const { host, port } = harness.server;
      // The server counts only connections that began under the limit.
      await harness.alter(user, 'with max_user_connections 3');
      const pool = make({ connectionLimit: 1 }, { verifyTimeoutMs: 500 });
      const held = await pool.promise().getConnection();
      const others = await Promise.all(
        [0, 1].map(() => mysql.createConnection({ host, port, user, password: 'first' })),
      );
      onTestFinished(() => {
        for (const other of others) other.destroy();
      });
      const rejected: string[] = [];
      pool.rotation.on('rejected', ({ error }) => rejected.push(error.message));
      await rotate('second');
      await waitFor(() => rejected.length === 1);
      expect(rejected[0]).toContain('error 1226: a limit of the user is reached');
      // The pool keeps its connection, and follows as soon as there is a place.
      await held.query('select 1');
      await harness.alter(user, 'with max_user_connections 0');
      await waitFor(() => pool.rotation.generation === 2);
      held.release();
    });

    it('survives the end of an old session whose connection is checked out', async () => {
      const { pool: make, rotate, user } = await stage();
      const pool = make({}, { retireOverMs: 20 });
      const connection = await pool.promise().getConnection();
      await connection.beginTransaction();
      await rotate('second');
      await waitFor(() => pool.rotation.generation === 2);
      await harness.kill(user);
      await waitFor(() => pool.rotation.staleCount === 0);
      await expect(connection.query('select 1')).rejects.toThrow();
      connection.release();
      expect(await query(pool)).toEqual([{ n: 1 }]);
    });

    it('closes old connections at drainTimeoutMs that stay checked out', async () => {
      const { pool: make, rotate } = await stage();
      const pool = make({}, { drainTimeoutMs: 150 });
      const errors: unknown[] = [];
      const drained: unknown[] = [];
      pool.rotation.on('error', ({ code }) => errors.push(code));
      pool.rotation.on('drained', (event) => drained.push(event));
      const connection = await pool.promise().getConnection();
      const running = pending(failure(connection.query('select sleep(60)')));
      await rotate('second');
      await waitFor(() => drained.length === 1);
      expect(errors).toEqual(['DRAIN_TIMEOUT']);
      expect(drained).toEqual([expect.objectContaining({ generation: 1, forced: true })]);
      expect((await running).code).toBe('PROTOCOL_CONNECTION_LOST');
      connection.release();
      expect(await query(pool)).toEqual([{ n: 1 }]);
    });

    it('serves again after a restart of its server', async () => {
      const { pool: make, rotate } = await stage();
      const pool = make();
      await query(pool);
      await harness.server.shutDown();
      expect((await failure(query(pool))).code).toBe('ECONNREFUSED');
      await harness.server.start();
      await waitFor(async () => (await query(pool)) !== undefined);
      await rotate('second');
      await waitFor(() => pool.rotation.generation === 2);
      expect(await query(pool)).toEqual([{ n: 1 }]);
    });
  });

  describe('its limits', () => {
    it('queues and rejects callers as a plain pool does, for waitForConnections and queueLimit', async () => {
      const made = await stage();
      const outcome = async (pool: mysql.Pool, callers: number) => {
        const calls = Array.from({ length: callers }, () => pending(pool.getConnection()));
        const settled = await Promise.allSettled(calls.slice(-1));
        return settled.map((one) => (one.status === 'rejected' ? String(one.reason.message) : 'served'));
      };
      for (const [config, callers, expected] of [
        [{ connectionLimit: 2, waitForConnections: false }, 3, 'No connections available.'],
        [{ connectionLimit: 2, queueLimit: 1 }, 4, 'Queue limit reached.'],
        [{ connectionLimit: 2, waitForConnections: false }, 2, 'served'],
      ] as const) {
        for (const pool of [made.pool(config, { drainTimeoutMs: 10 }).promise(), plainPool(made, config)]) {
          expect(await outcome(pool as mysql.Pool, callers)).toEqual([expected]);
        }
      }
    });
  });

  describe('end()', () => {
    it('serves the callers in the queue, waits for a transaction, and closes all connections', async () => {
      const { pool: make, user, rotate, secrets } = await stage();
      await harness.server.query(`create table ended_${user} (n int)`);
      const pool = make({ connectionLimit: 2 });
      const [connection, other] = await Promise.all([1, 2].map(() => pool.promise().getConnection()));
      await connection?.beginTransaction();
      await connection?.query(`insert into ended_${user} values (1)`);
      const waiting = pending(Promise.all([1, 2, 3].map(() => query(pool))));
      let done = 0;
      const ending = pending(Promise.all([ended(pool), ended(pool)]).then(() => (done += 1)));
      await expect(query(pool)).rejects.toThrow('Pool is closed.');
      other?.release();
      expect(await waiting).toHaveLength(3);
      await connection?.query(`insert into ended_${user} values (2)`);
      await connection?.commit();
      expect(done).toBe(0);
      connection?.release();
      await ending;
      await waitFor(async () => (await harness.sessions(user)) === 0);
      expect(await harness.server.query(`select n from ended_${user}`)).toEqual([{ n: 1 }, { n: 2 }]);
      await rotate('second');
      await waitFor(() => secrets.reveal('password') === 'second');
      expect(await harness.sessions(user)).toBe(0);
    });

    it('ends during a rotation under load without a failed transaction', async () => {
      const { pool: make, rotate, user } = await stage();
      const pool = make({ connectionLimit: 4 }, { retireOverMs: 500 });
      let ending = false;
      const load = startLoad(4, async () => {
        if (ending) return void (await new Promise((resolve) => setTimeout(resolve, 5)));
        const connection = await pool.promise().getConnection();
        await connection.beginTransaction();
        await connection.query('select sleep(0.02)');
        await connection.commit();
        connection.release();
      });
      await waitFor(() => load.done > 20);
      await rotate('second');
      await waitFor(() => pool.rotation.generation === 2);
      ending = true;
      await ended(pool);
      expect((await load.stop()).failures).toEqual([]);
      await waitFor(async () => (await harness.sessions(user)) === 0);
    });

    it('closes connections at drainTimeoutMs that are never released, and rejects waiting callers', async () => {
      const { pool: make, user } = await stage();
      const pool = make({ connectionLimit: 1 }, { drainTimeoutMs: 100 });
      pool.rotation.on('error', () => {});
      const connection = await pool.promise().getConnection();
      const running = pending(failure(connection.query('select sleep(60)')));
      const waiting = pending(failure(query(pool)));
      await ended(pool);
      expect([(await running).code, (await waiting).code]).toEqual([
        'PROTOCOL_CONNECTION_LOST',
        'POOL_CLOSED',
      ]);
      await harness.kill(user);
    });

    it('rejects callers that wait for a newer credential, and ends test logins', async () => {
      const { pool: make, user } = await stage();
      await using held = await startHoldingProxy(harness.server);
      const pool = make({ port: held.port }, { verifyTimeoutMs: 60_000 });
      pool.rotation.on('refused', () => held.hold());
      // Before the first login, a caller waits for two seconds only: perhaps not until the next test login.
      (await pool.promise().getConnection()).destroy();
      await harness.alter(user, `identified by 'other'`);
      const waiting = pending(failure(query(pool)));
      await waitFor(() => held.held === 1);
      await ended(pool);
      await waitFor(() => held.held === 0);
      expect((await waiting).code).toBe('POOL_CLOSED');
    });
  });
});
