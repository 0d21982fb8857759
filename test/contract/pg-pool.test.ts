import { createPool } from 'hot-secrets/pg';
import { poolContract } from 'hot-secrets/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type PgHarness, startPgHarness } from '../support/pg-harness';
import { pgServer } from '../support/pg-pool-server';

let harness: PgHarness;
beforeAll(async () => {
  harness = await startPgHarness();
});
afterAll(() => harness.server.stop());

describe('createPool of hot-secrets/pg', () => {
  const cases = poolContract({
    create: (passwords) =>
      pgServer(harness, passwords, ({ store, login, max, swapped, ...options }) => {
        const { database } = harness.server;
        const pool = createPool(store, (s) => ({ ...login(s), database, max }), options);
        pool.rotation.on('swapped', swapped);
        return pool;
      }),
  });
  for (const one of cases) it.skipIf(one.skipped !== undefined)(one.name, one.run, one.timeoutMs);
});
