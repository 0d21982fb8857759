import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { CALLERS, MAX, MAX_REFUSED, type PoolRule, QUERY_MS } from './rule';
import { assertServed } from './stage';

/** Which credential a pool uses, and when. */
export const CREDENTIAL_RULES: readonly PoolRule[] = [
  {
    name: 'serves every call while two users alternate under load, and ends the sessions of the old one',
    async check({ server, proxy, users, swap, gone, ...stage }) {
      const pool = await stage.pool();
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(100);
      for (const round of [1, 2, 3]) {
        const before = proxy.opened;
        const [next, old] = round % 2 === 0 ? users : ([users[1], users[0]] as const);
        await swap(pool, next);
        await gone(old);
        await load.more(50);
        const sessions = await server.sessions(next);
        assert.ok(sessions.length > 0 && sessions.length <= MAX + 1, `${sessions.length} sessions are open`);
        assert.ok(sessions.includes(await pool.query(0)), 'queries run as the new user');
        const logins = proxy.opened - before;
        assert.ok(logins <= MAX + 3, `a rotation of ${MAX} connections took ${logins} logins`);
      }
      assertServed(await load.stop());
    },
  },
  {
    name: 'serves every call while the server has the new password and the secret does not, with few refused logins',
    async check({ server, proxy, users: [user], until, swap, gone, changePassword, ...stage }) {
      for (const attempts of [1, 2]) {
        const pool = await stage.pool();
        // Two connections serve, and more callers need new logins.
        await Promise.all([pool.query(20), pool.query(20)]);
        const old = await server.sessions(user);
        const before = proxy.ended;
        await changePassword(user);
        const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
        await until(() => proxy.ended >= before + attempts, `${attempts} refused logins`);
        await load.more(50);
        const refused = proxy.ended - before;
        await swap(pool, user);
        await gone(user, old);
        await load.more(50);
        assertServed(await load.stop());
        assert.ok(refused <= MAX_REFUSED, `${refused} logins were refused`);
        await pool.end();
      }
    },
  },
  {
    name: 'serves a burst without connections while the server has the new password and the secret does not',
    async check({ proxy, users: [user], until, rotate, changePassword, ...stage }) {
      const pool = await stage.pool({ max: 20 });
      await changePassword(user);
      const before = proxy.ended;
      const load = stage.load(50, () => pool.query(QUERY_MS));
      await until(() => proxy.ended > before, 'a refused login');
      const refused = proxy.ended - before;
      rotate(user);
      assertServed(await load.stop());
      assert.ok(refused <= MAX_REFUSED, `${refused} logins were refused`);
    },
  },
  {
    name: 'keeps the old password while the server refuses the new one, and then uses a right one',
    async check({ server, proxy, users: [user], until, rotate, swap, gone, changePassword, ...stage }) {
      const pool = await stage.pool();
      await Promise.all([pool.query(20), pool.query(20)]);
      const before = proxy.ended;
      rotate(user, 'pool-mistyped');
      await until(() => proxy.ended > before, 'a refused login');
      // More callers need logins with the old password, which the server still accepts.
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(200);
      assert.equal(pool.swaps, 0, 'the pool swaps to no credential that the server refuses');
      const refused = proxy.ended - before;
      assert.ok(refused <= MAX_REFUSED, `${refused} logins were refused`);
      const old = await server.sessions(user);
      await changePassword(user);
      await swap(pool, user);
      await gone(user, old);
      assertServed(await load.stop());
    },
  },
  {
    name: 'serves every call while the server locks the old user before the secret names the new one',
    needs: ['lock'],
    async check({ server, proxy, users: [old, next], until, swap, gone, ...stage }) {
      const pool = await stage.pool();
      await Promise.all([pool.query(20), pool.query(20)]);
      const before = proxy.ended;
      await server.lock(old);
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await until(() => proxy.ended > before, 'a refused login');
      await load.more(50);
      const refused = proxy.ended - before;
      await swap(pool, next);
      await gone(old);
      await load.more(50);
      assertServed(await load.stop());
      assert.ok(refused <= MAX_REFUSED, `${refused} logins were refused`);
    },
  },
  {
    name: 'serves the caller of a login that is in flight during the swap, and ends its session',
    async check({ proxy, users: [old, next], until, swap, gone, ...stage }) {
      const pool = await stage.pool({ route: 'directAfterSwap' });
      proxy.hold();
      const load = stage.load(1, () => pool.query(0));
      await until(() => proxy.held === 1, 'a login');
      await swap(pool, next);
      proxy.release();
      await load.more(1);
      await gone(old);
      assertServed(await load.stop());
    },
  },
  {
    name: 'serves the caller of a login that is refused because it was in flight during the swap',
    async check({ proxy, users: [user], until, swap, changePassword, ...stage }) {
      const pool = await stage.pool({ route: 'directAfterSwap' });
      proxy.hold();
      const load = stage.load(1, () => pool.query(0));
      await until(() => proxy.held === 1, 'a login');
      await changePassword(user);
      await swap(pool, user);
      proxy.release();
      await load.more(1);
      assertServed(await load.stop());
    },
  },
  {
    name: 'ends the first sessions while rotations come faster than old connections are replaced',
    async check({ server, users, swap, gone, ...stage }) {
      const pool = await stage.pool({ max: 2, retireOverMs: 1600 });
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(50);
      const first = await server.sessions(users[0]);
      const open = async () => (await server.sessions(users[0])).some((id) => first.includes(id));
      let rounds = 0;
      do {
        rounds += 1;
        assert.ok(rounds <= 60, 'the first sessions are still open after 60 rotations');
        await swap(pool, users[rounds % 2] as string);
        await sleep(100);
      } while (await open());
      assert.ok(rounds > 1, 'more than one rotation happened meanwhile');
      await gone(users[(rounds + 1) % 2] as string);
      await load.more(50);
      assertServed(await load.stop());
    },
  },
];
