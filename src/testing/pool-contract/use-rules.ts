import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { realNow } from '../../internal/real-time';
import { ACCOUNTS } from './harness';
import { balancesOf, CALLERS, type PoolRule, pausedTransfer, QUERY_MS } from './rule';
import { assertServed } from './stage';

/** Rotations during transactions, and the end of a pool during a rotation. */
export const USE_RULES: readonly PoolRule[] = [
  {
    name: 'lets a transaction finish on its old connection, which ends when it is returned',
    needs: ['transfer'],
    async check({ server, users: [old, next], until, swap, gone, ...stage }) {
      const pool = await stage.pool();
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      const transfer = await pausedTransfer(pool);
      await swap(pool, next);
      await until(async () => (await server.sessions(old)).length === 1, 'the end of all other sessions');
      assert.equal(await transfer.resume(), 'committed');
      await gone(old);
      assertServed(await load.stop());
      assert.deepEqual(await server.balances(), balancesOf({ 0: -1, 1: 1 }));
    },
  },
  {
    name: 'keeps transactions whole under load while users alternate, commits and rollbacks alike',
    needs: ['transfer'],
    async check({ server, users, swap, gone, ...stage }) {
      const pool = await stage.pool({ max: 3 });
      const expected = balancesOf({});
      const free = Array.from({ length: ACCOUNTS / 2 }, (_, index) => index * 2);
      let number = 0;
      const load = stage.load(ACCOUNTS / 2, async () => {
        // Each transfer has its accounts to itself, so that none waits for another's locks.
        const from = free.pop() as number;
        number += 1;
        const rollsBack = number % 3 === 0;
        const pause = async () => {
          await sleep(number % 5);
          if (rollsBack) throw new Error('rolled back on purpose');
        };
        const outcome = await pool.transfer(from, from + 1, pause).then(
          () => 'committed',
          (error: Error) => error.message,
        );
        free.push(from);
        assert.equal(outcome, rollsBack ? 'rolled back on purpose' : 'committed');
        if (rollsBack) return;
        (expected[from] as number) -= 1;
        (expected[from + 1] as number) += 1;
      });
      await load.more(30);
      for (const [next, old] of [[users[1], users[0]] as const, users, [users[1], users[0]] as const]) {
        await swap(pool, next);
        await gone(old);
        await load.more(30);
      }
      assertServed(await load.stop());
      assert.deepEqual(await server.balances(), expected);
    },
  },
  {
    name: 'closes an old connection that stays in use at the drain deadline, not before, and rolls its transaction back',
    needs: ['transfer', 'drainTimeout'],
    async check({ server, users: [old, next], swap, gone, ...stage }) {
      const drainTimeoutMs = 500;
      let swappedAt = 0;
      const pool = await stage.pool({
        drainTimeoutMs,
        onSwap: () => {
          swappedAt = realNow();
        },
      });
      const transfer = await pausedTransfer(pool);
      await swap(pool, next);
      await gone(old);
      const openMs = realNow() - swappedAt;
      assert.notEqual(await transfer.resume(), 'committed');
      const load = stage.load(2, () => pool.query(QUERY_MS));
      await load.more(20);
      assertServed(await load.stop());
      // Timers may fire a millisecond early.
      assert.ok(openMs >= drainTimeoutMs - 5, `it was closed after ${openMs} ms`);
      assert.deepEqual(await server.balances(), balancesOf({}));
    },
  },
  {
    name: 'ends during the verification of a rotation, after its transaction and its queue, and logs in no more',
    needs: ['transfer'],
    async check({ server, proxy, users: [old, next], until, rotate, ...stage }) {
      const pool = await stage.pool({ max: 2 });
      const transfer = await pausedTransfer(pool);
      await pool.query(0);
      proxy.hold();
      rotate(next);
      await until(() => proxy.held > 0, 'a test login');
      const load = stage.load(8, () => pool.query(20));
      let ended = false;
      const ending = stage.end(pool).finally(() => {
        ended = true;
      });
      ending.catch(() => {});
      assertServed(await load.stop());
      assert.equal(ended, false, 'end() waits for the transaction');
      assert.equal(await transfer.resume(), 'committed');
      await ending;
      await until(() => proxy.held === 0, 'the end of the test login');
      proxy.release();
      assert.deepEqual(await server.balances(), balancesOf({ 0: -1, 1: 1 }));
      const before = proxy.opened;
      const other = await stage.pool({ route: 'direct' });
      for (const user of [old, next, old]) await stage.swap(other, user);
      await other.query(0);
      assert.equal(proxy.opened, before, 'an ended pool logs in no more');
    },
  },
  {
    name: 'serves every call before end() while old connections are being replaced, and leaves no session',
    async check({ server, users: [old, next], until, swap, ...stage }) {
      const pool = await stage.pool({ max: 3, retireOverMs: 1000 });
      const load = stage.load(CALLERS, () => pool.query(QUERY_MS));
      await load.more(50);
      await swap(pool, next);
      const stopped = load.stop();
      const [result] = await Promise.all([stopped, stage.end(pool)]);
      assertServed(result);
      for (const user of [old, next]) {
        await until(async () => (await server.sessions(user)).length === 0, 'the end of all sessions');
      }
    },
  },
];
