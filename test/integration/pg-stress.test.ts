import { setTimeout as sleep } from 'node:timers/promises';
import type { HotPool } from 'hot-secrets/pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PgHarness, type PoolHarness, poolHarness, startPgHarness } from '../support/pg-harness';
import { seededRandom } from '../support/seeded-random';
import { waitFor } from '../support/wait-for';

const SEED = Number(process.env.STRESS_SEED ?? 20_26);
const FOR_MS = Number(process.env.STRESS_MS ?? 7_000);

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

/** Rotates in one of four orders. Resolves when the server and the file agree. */
async function rotate(
  mount: PoolHarness['mount'],
  roles: readonly string[],
  round: number,
  random: () => number,
) {
  const role = roles[Math.floor(random() * roles.length)] as string;
  const password = `round-${round}`;
  const write = () => mount.rotate({ user: role, password });
  const alter = () => harness.alter(role, `password '${password}'`);
  const way = Math.floor(random() * 4);
  if (way === 0) {
    await alter();
    await sleep(random() * 900);
    await write();
  } else if (way === 1) {
    await write();
    await sleep(random() * 300);
    await alter();
  } else if (way === 2) {
    await harness.alter(role, 'nologin');
    await sleep(random() * 300);
    await alter();
    await harness.alter(role, 'login');
    await write();
  } else {
    await Promise.all([alter(), write()]);
  }
}

/** Uses a pool like an application. */
async function act(pool: HotPool, random: () => number): Promise<void> {
  const kind = random();
  if (kind < 0.6) {
    await pool.query('select pg_sleep($1)', [random() * 0.004]);
  } else if (kind < 0.8) {
    await new Promise<void>((resolve, reject) => {
      pool.query('select 1', (error) => (error ? reject(error) : resolve()));
    });
  } else {
    const client = await pool.connect();
    await client.query('begin');
    await sleep(random() * (kind < 0.99 ? 10 : 400));
    await client.query('commit');
    client.release(kind > 0.97);
  }
}

it(`fails no query under random rotations and use (seed ${SEED})`, async () => {
  const random = seededRandom(SEED);
  const roles = [await harness.role('round-0'), await harness.role('round-0'), await harness.role('round-0')];
  const { mount, pool: make } = await poolHarness(harness, roles[0] as string, 'round-0');
  const engine = { retryBaseMs: 50, retryMaxMs: 500 };
  const pools = [
    make({ max: 8, maxUses: 7 }, engine),
    make({ max: 1, connectionTimeoutMillis: 20_000 }, engine),
    make({ max: 5, idleTimeoutMillis: 5, maxLifetimeSeconds: 1 }, { ...engine, retireOverMs: 0 }),
  ];
  for (const pool of pools) {
    for (const event of ['refused', 'rejected'] as const) pool.rotation.on(event, () => {});
  }
  const failures: unknown[] = [];
  const ended = new Set<HotPool>();
  let started = 0;
  let settled = 0;
  const callers = pools.flatMap((pool) =>
    Array.from({ length: 15 }, async () => {
      while (!ended.has(pool)) {
        started += 1;
        try {
          await act(pool, random);
        } catch (error) {
          if (!ended.has(pool)) failures.push(error);
        }
        settled += 1;
        if (random() < 0.02) await sleep(random() * 200);
      }
    }),
  );

  const until = performance.now() + FOR_MS;
  let rounds = 0;
  while (performance.now() < until) {
    rounds += 1;
    await rotate(mount, roles, rounds, random);
    await sleep(random() * 300);
  }
  const refused = roles.reduce((sum, role) => sum + harness.refused(role), 0);
  await waitFor(() => new Set(pools.map(({ rotation }) => rotation.generation)).size === 1);

  // The pools end during a rotation.
  const last = rotate(mount, roles, rounds + 1, random);
  await sleep(random() * 200);
  for (const pool of pools) ended.add(pool);
  await Promise.all(pools.map((pool) => pool.end()));
  await Promise.all([last, ...callers]);
  expect(failures).toEqual([]);
  expect(settled).toBe(started);
  // Three pools, each with one or two test logins and its running logins.
  expect(refused).toBeLessThanOrEqual(rounds * 12);
  expect(pools.map(({ totalCount, waitingCount }) => [totalCount, waitingCount])).toEqual([
    [0, 0],
    [0, 0],
    [0, 0],
  ]);
  for (const role of roles) await waitFor(async () => (await harness.backends(role)) === 0);
});
