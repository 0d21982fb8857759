import assert from 'node:assert/strict';
import { balancesOf, CALLERS, MAX, type PoolRule, pausedTransfer, QUERY_MS } from './rule';
import { assertServed } from './stage';

/** Rotations while the server has problems of its own. */
export const BAD_DAY_RULES: readonly PoolRule[] = [
  {
    name: 'fails one call for each killed session when the old user is revoked at once, and serves the others',
    needs: ['lock', 'killSessions'],
    async check({ server, proxy, users: [old, next], until, swap, ...stage }) {
      const pool = await stage.pool();
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(50);
      await server.lock(old);
      const before = proxy.opened;
      const killed = await server.killSessions(old);
      assert.ok(killed > 0, 'sessions were killed');
      await until(() => proxy.opened > before, 'a login');
      await swap(pool, next);
      await load.more(50);
      assertServed(await load.stop(), killed);
      assert.deepEqual(await server.sessions(old), []);
    },
  },
  {
    name: 'fails one call for each killed session, during a rotation too, and serves the others',
    needs: ['killSessions'],
    async check({ server, users: [old, next], swap, gone, ...stage }) {
      const pool = await stage.pool({ retireOverMs: 1000 });
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(50);
      let killed = await server.killSessions(old);
      await load.more(50);
      await swap(pool, next);
      killed += await server.killSessions(old);
      await gone(old);
      await load.more(50);
      const result = await load.stop();
      assert.ok(killed > 0, 'sessions were killed');
      assertServed(result, killed);
    },
  },
  {
    name: 'keeps all connections but two in service while the logins of a rotation are slow',
    async check({ server, proxy, users: [old, next], until, swap, ...stage }) {
      const pool = await stage.pool();
      const load = stage.load(CALLERS, () => pool.query(20));
      // In this order, a connection that is replaced meanwhile is counted at least once.
      const serving = async () => (await server.sessions(old)).length + (await server.sessions(next)).length;
      await until(async () => (await serving()) === MAX, 'all connections');
      proxy.delayMs = 150;
      let fewest = MAX;
      await swap(pool, next);
      await until(async () => {
        fewest = Math.min(fewest, await serving());
        return (await server.sessions(old)).length === 0;
      }, 'the end of the old sessions');
      assertServed(await load.stop());
      assert.ok(fewest >= MAX - 2, `only ${fewest} of ${MAX} connections were in service`);
    },
  },
  {
    name: 'serves every call while no login succeeds after a swap',
    async check({ proxy, users, until, swap, gone, ...stage }) {
      // With all of its connections in use, and with room for more.
      for (const max of [MAX, 2 * CALLERS]) {
        const [old, next] = max === MAX ? users : ([users[1], users[0]] as const);
        const pool = await stage.pool({
          max,
          retireOverMs: 600,
          onSwap: () => {
            proxy.refuses = true;
          },
        });
        const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
        await load.more(100);
        await swap(pool, next);
        const before = proxy.opened;
        await until(() => proxy.opened > before, 'a login that fails');
        await load.more(200);
        proxy.refuses = false;
        await gone(old);
        assertServed(await load.stop());
        await stage.end(pool);
      }
    },
  },
  {
    name: 'rotates a user whose sessions are limited to the connections of the pool',
    needs: ['limit'],
    async check({ server, users: [user], swap, gone, changePassword, ...stage }) {
      const pool = await stage.pool();
      await server.limit(user, MAX);
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(100);
      for (let round = 1; round <= 2; round += 1) {
        const old = await server.sessions(user);
        await changePassword(user);
        await swap(pool, user);
        await gone(user, old);
      }
      await load.more(50);
      assertServed(await load.stop());
    },
  },
  {
    name: 'recovers from a restart of the server, keeps transactions whole, and rotates afterwards',
    needs: ['restart', 'transfer'],
    async check({ server, users: [old, next], until, swap, gone, ...stage }) {
      const pool = await stage.pool();
      const before = stage.load(CALLERS, () => pool.query(QUERY_MS));
      const transfer = await pausedTransfer(pool);
      await before.more(50);
      await stage.stop();
      assert.notEqual(await transfer.resume(), 'committed');
      const { failures, hung } = await before.stop();
      assert.ok(failures.length > 0, 'calls fail while the server is down');
      assert.equal(hung, 0, 'no call hangs');
      await stage.start();
      await until(() => pool.query(0).then(Boolean, () => false), 'the first query after the restart');
      const after = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await after.more(50);
      await swap(pool, next);
      await gone(old);
      assertServed(await after.stop());
      assert.deepEqual(await server.balances(), balancesOf({}));
    },
  },
  {
    name: 'swaps to no credential while the server is down, and then follows the rotation',
    needs: ['restart'],
    async check({ proxy, users: [old, next], until, rotate, gone, ...stage }) {
      const pool = await stage.pool();
      await pool.query(0);
      await stage.stop();
      const before = proxy.opened;
      rotate(next);
      const tried = () => proxy.opened > before && proxy.ended === proxy.opened;
      await until(() => tried() || pool.swaps > 0, 'a login that fails');
      assert.equal(pool.swaps, 0);
      await stage.start();
      await until(() => pool.swaps === 1, 'the swap');
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(50);
      assertServed(await load.stop());
      await gone(old);
    },
  },
];
