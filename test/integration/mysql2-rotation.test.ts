import { createPool, createPromisePool } from 'hot-secrets/mysql2';
import mysql from 'mysql2';
import promised from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startHoldingProxy } from '../support/holding-proxy';
import { startLoad } from '../support/load';
import { type MysqlHarness, poolHarness, startMysqlHarness } from '../support/mysql-harness';
import { hasMysqlServer } from '../support/mysql-programs';
import { waitFor } from '../support/wait-for';

describe.runIf(hasMysqlServer())('a rotation of a pool of mysql2', () => {
  let harness: MysqlHarness;
  beforeAll(async () => {
    harness = await startMysqlHarness();
  });
  afterAll(() => harness.server.stop());

  it('fails no query while two users alternate under load, and closes old connections', async () => {
    const users = [await harness.user('of-a'), await harness.user('of-b')] as const;
    const { mount, pool: make } = await poolHarness(harness, users[0], 'of-a');
    const pool = make({ connectionLimit: 10 }, { retireOverMs: 200 }).promise();
    const load = startLoad(20, () => pool.query('select sleep(0.003)'));
    await waitFor(() => load.done > 200);
    for (const round of [1, 2, 3, 4]) {
      const [user, old] = round % 2 === 1 ? [users[1], users[0]] : users;
      await mount.rotate({ user, password: user === users[0] ? 'of-a' : 'of-b' });
      await waitFor(async () => pool.rotation.staleCount === 0 && (await harness.sessions(old)) === 0);
      expect(await harness.sessions(user)).toBeLessThanOrEqual(11);
    }
    const { failures, done } = await load.stop();
    expect(failures).toEqual([]);
    expect(done).toBeGreaterThan(500);
    expect(users.map(harness.refused)).toEqual([0, 0]);
  });

  it('fails no query of a busy pool and tries two logins while the server is ahead of the file', async () => {
    const user = await harness.user('round-0');
    const { mount, pool: make } = await poolHarness(harness, user, 'round-0');
    const pool = make({ connectionLimit: 10 });
    pool.rotation.on('refused', () => {});
    const load = startLoad(40, () => pool.promise().query('select sleep(0.002)'));
    await waitFor(() => load.done > 100);
    const refusals: number[] = [];
    for (const round of [1, 2, 3]) {
      const before = harness.refused(user);
      await harness.alter(user, `identified by 'round-${round}'`);
      // The server ends the sessions of two of the connections, so that callers need a login.
      const held = await Promise.all([1, 2].map(() => pool.promise().getConnection()));
      for (const connection of held) connection.destroy();
      await waitFor(() => harness.refused(user) > before);
      // The file changes only after the pool has tried the old password again.
      await waitFor(() => harness.refused(user) > before + 1);
      await mount.rotate({ password: `round-${round}` });
      await waitFor(() => pool.rotation.generation === round + 1);
      const reached = load.done + 100;
      await waitFor(() => load.done > reached);
      refusals.push(harness.refused(user) - before);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(refusals).toEqual([2, 2, 2]);
  });

  it('fails no query of a burst without connections while the server is ahead of the file, and reports it once', async () => {
    const user = await harness.user('first');
    const { mount, pool: make } = await poolHarness(harness, user, 'first');
    const pool = make({ connectionLimit: 20 });
    const refused: unknown[] = [];
    const accepted: unknown[] = [];
    pool.rotation.on('refused', (event) => refused.push(event));
    pool.rotation.on('accepted', (event) => accepted.push(event));
    await harness.alter(user, `identified by 'second'`);
    const queries = Promise.all(Array.from({ length: 150 }, () => pool.promise().query('select 1')));
    // Not an unhandled rejection if the test fails before it awaits them.
    queries.catch(() => {});
    await waitFor(() => harness.refused(user) > 0);
    await mount.rotate({ password: 'second' });
    expect(await queries).toHaveLength(150);
    expect(harness.refused(user)).toBe(1);
    expect(refused).toEqual([
      expect.objectContaining({
        name: 'pool',
        generation: 1,
        waiting: 150,
        error: expect.objectContaining({ code: 'CREDENTIAL_REFUSED' }),
      }),
    ]);
    expect(accepted).toEqual([{ name: 'pool', generation: 2, waitedMs: expect.any(Number) }]);
  });

  it('keeps the old password while the file is ahead, and swaps once the server refuses the old one', async () => {
    const user = await harness.user('first');
    const { mount, pool: make } = await poolHarness(harness, user, 'first');
    const pool = make({ connectionLimit: 4 }, { retryBaseMs: 600_000, retryMaxMs: 600_000 });
    const rejected: unknown[] = [];
    pool.rotation.on('rejected', ({ error }) => rejected.push(error.code));
    pool.rotation.on('refused', () => {});
    const load = startLoad(10, () => pool.promise().query('select sleep(0.002)'));
    await mount.rotate({ password: 'second' });
    await waitFor(() => rejected.length === 1);
    const reached = load.done + 50;
    await waitFor(() => load.done > reached);
    await harness.alter(user, `identified by 'second'`);
    (await pool.promise().getConnection()).destroy();
    await waitFor(() => pool.rotation.generation === 2);
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected).toEqual(['CREDENTIAL_REFUSED']);
    // The new password once, then the old one.
    expect(harness.refused(user)).toBe(2);
  });

  it('keeps the old password while the server refuses the new one, tries that twice, and then uses a valid one', async () => {
    const user = await harness.user('first');
    const { mount, pool: make } = await poolHarness(harness, user, 'first');
    const pool = make({ connectionLimit: 5 }, { retryBaseMs: 10, retryMaxMs: 20 });
    const rejected: unknown[] = [];
    pool.rotation.on('rejected', ({ generation, error }) => rejected.push([generation, error.code]));
    // A login that succeeds ends the pause after a refusal, as the server counts anew.
    const all = await Promise.all([1, 2, 3, 4, 5].map(() => pool.promise().getConnection()));
    for (const connection of all) connection.release();
    const load = startLoad(5, () => pool.promise().query('select sleep(0.002)'));
    await mount.rotate({ password: 'mistyped' });
    await waitFor(() => harness.refused(user) === 2);
    expect(rejected).toEqual([[2, 'CREDENTIAL_REFUSED']]);
    expect(pool.rotation).toMatchObject({ generation: 1, staleCount: 0 });
    // Several steps of the backoff later.
    const reached = load.done + 500;
    await waitFor(() => load.done > reached);
    expect(harness.refused(user)).toBe(2);
    await harness.alter(user, `identified by 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 3);
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected).toHaveLength(1);
  });

  it('conserves sums in transactions while passwords rotate', async () => {
    const user = await harness.user('round-0');
    const table = `accounts_${user}`;
    await harness.server.query(`create table ${table} (id int primary key, amount int) engine=innodb`);
    const rows = Array.from({ length: 20 }, (_, id) => `(${id + 1}, 100)`);
    await harness.server.query(`insert into ${table} values ${rows}`);
    const { mount, pool: make } = await poolHarness(harness, user, 'round-0');
    const pool = make({ connectionLimit: 8 }).promise();
    pool.rotation.on('refused', () => {});
    let rollbacks = 0;
    const load = startLoad(12, async () => {
      const [from, to] = [0, 0].map(() => 1 + Math.floor(Math.random() * 20)).sort((a, b) => a - b);
      if (from === to) return;
      const connection = await pool.getConnection();
      try {
        await connection.beginTransaction();
        await connection.query(`update ${table} set amount = amount - 1 where id = ?`, [from]);
        await connection.query(`update ${table} set amount = amount + 1 where id = ?`, [to]);
        if (Math.random() < 0.2) {
          await connection.rollback();
          rollbacks += 1;
        } else await connection.commit();
      } finally {
        connection.release();
      }
    });
    await waitFor(() => load.done > 100);
    for (const round of [1, 2, 3, 4]) {
      await harness.alter(user, `identified by 'round-${round}'`);
      await mount.rotate({ password: `round-${round}` });
      await waitFor(() => pool.rotation.generation === round + 1 && pool.rotation.staleCount === 0);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(rollbacks).toBeGreaterThan(0);
    const [row] = await harness.server.query(`select cast(sum(amount) as signed) as sum from ${table}`);
    expect(row).toEqual({ sum: 2000 });
  });

  it('lets a transaction finish on its old connection, and retires that on release', async () => {
    const user = await harness.user('first');
    await harness.server.query(`create table kept_${user} (n int)`);
    const { mount, pool: make } = await poolHarness(harness, user, 'first');
    const pool = make().promise();
    const connection = await pool.getConnection();
    await connection.beginTransaction();
    await connection.query(`insert into kept_${user} values (1)`);
    await harness.alter(user, `identified by 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 2);
    await pool.query('select 1');
    expect(pool.rotation.staleCount).toBe(1);
    await connection.query(`insert into kept_${user} values (2)`);
    await connection.commit();
    const drained = new Promise((resolve) => pool.rotation.on('drained', resolve));
    connection.release();
    expect(await drained).toMatchObject({ generation: 1, forced: false });
    expect(pool.rotation.staleCount).toBe(0);
    const [rows] = await pool.query(`select n from kept_${user} order by n`);
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('runs the commands that were sent before a release, on an old connection too', async () => {
    const user = await harness.user('first');
    await harness.server.query(`create table sent_${user} (n int)`);
    const { mount, pool: make } = await poolHarness(harness, user, 'first');
    const pool = make();
    const connection = await new Promise<mysql.PoolConnection>((resolve, reject) => {
      pool.getConnection((error, one) => (error ? reject(error) : resolve(one)));
    });
    await harness.alter(user, `identified by 'second'`);
    await mount.rotate({ password: 'second' });
    await waitFor(() => pool.rotation.generation === 2);
    const done: unknown[] = [];
    const note = (error: unknown) => done.push(error);
    connection.beginTransaction(note);
    connection.query(`insert into sent_${user} values (1)`, note);
    connection.commit(note);
    connection.release();
    await waitFor(() => pool.rotation.staleCount === 0);
    expect(done).toEqual([null, null, null]);
    expect(await harness.server.query(`select n from sent_${user}`)).toEqual([{ n: 1 }]);
  });

  it('retires a connection that logs in during the swap, after its caller has used it', async () => {
    const [old, young] = [await harness.user('of-old'), await harness.user('of-young')];
    await using proxy = await startHoldingProxy(harness.server);
    const { mount, secrets } = await poolHarness(harness, old, 'of-old');
    const { host, port, database } = harness.server;
    const pool = createPromisePool(
      secrets,
      (s) => ({
        host,
        database,
        port: s.generation === 1 ? proxy.port : port,
        user: s.reveal('user'),
        password: s.reveal('password'),
      }),
      { retireOverMs: 50 },
    );
    onTestFinished(() => pool.end());
    expect(pool.constructor).toBe(mysql.createPool({}).promise().constructor);
    proxy.hold();
    const query = pool.query('select substring_index(current_user(), "@", 1) as me');
    await waitFor(() => proxy.held === 1);
    await mount.rotate({ user: young, password: 'of-young' });
    await waitFor(() => pool.rotation.generation === 2);
    proxy.release();
    expect((await query)[0]).toEqual([{ me: old }]);
    await waitFor(async () => (await harness.sessions(old)) === 0);
    const [rows] = await pool.query('select substring_index(current_user(), "@", 1) as me');
    expect(rows).toEqual([{ me: young }]);
  });

  it('follows rotations in a uri, and prefers separate settings to it', async () => {
    const [first, second] = [await harness.user('p@ss 1'), await harness.user('p@ss 2')];
    const { mount, secrets } = await poolHarness(harness, first, 'p@ss 1');
    const { host, port, database } = harness.server;
    const uri = (user: string, password: string) =>
      `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    const options = { retireOverMs: 50 };
    const alone = createPool(secrets, (s) => ({ uri: uri(s.reveal('user'), s.reveal('password')) }), options);
    const mixed = createPool(
      secrets,
      (s) => ({ uri: uri('nobody', 'unused'), user: s.reveal('user'), password: s.reveal('password') }),
      options,
    );
    onTestFinished(() => void [alone, mixed].map((pool) => pool.end()));
    const me = async (pool: typeof alone) => {
      const [rows] = await pool.promise().query('select substring_index(current_user(), "@", 1) as me');
      return rows;
    };
    for (const pool of [alone, mixed]) expect(await me(pool)).toEqual([{ me: first }]);
    await mount.rotate({ user: second, password: 'p@ss 2' });
    for (const pool of [alone, mixed]) {
      await waitFor(() => pool.rotation.generation === 2 && pool.rotation.staleCount === 0);
      expect(await me(pool)).toEqual([{ me: second }]);
    }
  });

  it('returns real pools of mysql2 and of mysql2/promise', async () => {
    const { pool: make } = await poolHarness(harness, await harness.user('first'), 'first');
    const pool = make();
    expect(pool).toBeInstanceOf((mysql as unknown as { Pool: new () => object }).Pool);
    const { PromisePool } = promised as unknown as { PromisePool: new () => object };
    expect(pool.promise()).toBeInstanceOf(PromisePool);
    expect(pool.promise().rotation).toBe(pool.rotation);
  });
});
