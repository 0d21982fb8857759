import type { CreatePoolOptions, HotPool } from 'hot-secrets/mysql2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFaultyProxy } from '../support/faulty-proxy';
import { startLoad } from '../support/load';
import { type MysqlHarness, poolHarness, startMysqlHarness } from '../support/mysql-harness';
import { hasMysqlServer } from '../support/mysql-programs';
import { waitFor } from '../support/wait-for';

const BURST = 20;
const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

// The server blocks an account after three refused logins in a row, and then refuses the right password too.
describe.runIf(hasMysqlServer())('a pool of mysql2 whose server blocks accounts after three refusals', () => {
  let harness: MysqlHarness;
  beforeAll(async () => {
    harness = await startMysqlHarness({ blockAfter: 3, settings: { max_connections: '100' } });
  });
  afterAll(() => harness.server.stop());

  async function stage(config: object = {}, options: CreatePoolOptions = {}) {
    const user = await harness.user('first');
    const made = await poolHarness(harness, user, 'first');
    const pool = made.pool({ connectionLimit: BURST, ...config }, options);
    pool.rotation.on('refused', () => {});
    return {
      ...made,
      pool,
      user,
      alter: (password: string) => harness.alter(user, `identified by '${password}'`),
    };
  }

  /** Queries at the same time, each of which needs a connection of its own. */
  const burst = (pool: HotPool) => {
    const all = Promise.all(Array.from({ length: BURST }, () => pool.promise().query('select sleep(0.05)')));
    all.catch(() => {});
    return all;
  };

  /** A login that the server accepts, after which the pool has no connection. */
  const login = async (pool: HotPool) => {
    const connection = await pool.promise().getConnection();
    await connection.query('select 1');
    return connection;
  };

  it.each([0, 20, 50, 90])(
    'costs at most two refused logins in a burst %i ms after a change of the password that follows an accepted login',
    async (afterMs) => {
      const { pool, user, alter, mount } = await stage();
      for (const round of [1, 2, 3]) {
        const before = harness.refused(user);
        const held = await login(pool);
        await alter(`round-${round}`);
        await pause(afterMs);
        const served = burst(pool);
        await waitFor(() => harness.refused(user) > before);
        await pause(200);
        await mount.rotate({ password: `round-${round}` });
        expect(await served).toHaveLength(BURST);
        expect(harness.refused(user) - before).toBeLessThanOrEqual(2);
        held.destroy();
        const others = await Promise.all(Array.from({ length: BURST }, () => pool.promise().getConnection()));
        for (const connection of others) connection.destroy();
      }
    },
  );

  it.each([0, 2, 5, 10, 20])(
    'costs at most two refused logins when the password changes %i ms after the start of a burst',
    async (afterMs) => {
      const { pool, user, alter, mount } = await stage();
      for (const round of [1, 2, 3]) {
        const before = harness.refused(user);
        const served = burst(pool);
        await pause(afterMs);
        await alter(`round-${round}`);
        await pause(200);
        await mount.rotate({ password: `round-${round}` });
        expect(await served).toHaveLength(BURST);
        expect(harness.refused(user) - before).toBeLessThanOrEqual(2);
        await waitFor(() => pool.rotation.generation === round + 1);
        const others = await Promise.all(Array.from({ length: BURST }, () => pool.promise().getConnection()));
        for (const connection of others) connection.destroy();
      }
    },
  );

  it('costs at most two refused logins when the password changes while every call opens a connection', async () => {
    const { pool, user, alter, mount } = await stage();
    const load = startLoad(BURST, async () => (await login(pool)).destroy());
    for (const round of [1, 2, 3]) {
      const reached = load.done + 100;
      await waitFor(() => load.done > reached);
      const before = harness.refused(user);
      await alter(`round-${round}`);
      await waitFor(() => harness.refused(user) > before);
      await pause(200);
      await mount.rotate({ password: `round-${round}` });
      await waitFor(() => pool.rotation.generation === round + 1);
      expect(harness.refused(user) - before).toBeLessThanOrEqual(2);
    }
    expect((await load.stop()).failures).toEqual([]);
  });

  it('costs at most two refused logins when the password changes again while old connections are replaced', async () => {
    const { pool, user, alter, mount } = await stage({}, { retireOverMs: 100 });
    for (const round of [1, 2, 3]) {
      await burst(pool);
      await alter(`swapped-${round}`);
      await mount.rotate({ password: `swapped-${round}` });
      await waitFor(() => pool.rotation.generation === 2 * round);
      const before = harness.refused(user);
      await alter(`again-${round}`);
      const served = burst(pool);
      await pause(200);
      await mount.rotate({ password: `again-${round}` });
      await served;
      await waitFor(() => pool.rotation.generation === 2 * round + 1 && pool.rotation.staleCount === 0);
      expect(harness.refused(user) - before).toBeLessThanOrEqual(2);
    }
  });

  it('costs at most two refused logins when its server comes back with another password', async () => {
    await using proxy = await startFaultyProxy(harness.server);
    const { pool, user, alter, mount } = await stage({ port: proxy.port });
    for (const round of [1, 2, 3]) {
      const before = harness.refused(user);
      proxy.refuses = true;
      await expect(burst(pool)).rejects.toThrow();
      await alter(`round-${round}`);
      proxy.refuses = false;
      const served = burst(pool);
      await waitFor(() => harness.refused(user) > before);
      await pause(200);
      await mount.rotate({ password: `round-${round}` });
      expect(await served).toHaveLength(BURST);
      expect(harness.refused(user) - before).toBeLessThanOrEqual(2);
      const others = await Promise.all(Array.from({ length: BURST }, () => pool.promise().getConnection()));
      for (const connection of others) connection.destroy();
    }
  });
});
