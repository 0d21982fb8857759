import { createPool } from 'hot-secrets/mysql2';
import { poolContract } from 'hot-secrets/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type MysqlHarness, startMysqlHarness } from '../support/mysql-harness';
import { mysqlServer } from '../support/mysql-pool-server';
import { hasMysqlServer } from '../support/mysql-programs';

describe.runIf(hasMysqlServer())('createPool of hot-secrets/mysql2', () => {
  let harness: MysqlHarness;
  beforeAll(async () => {
    harness = await startMysqlHarness();
  });
  afterAll(() => harness.server.stop());

  const cases = poolContract({
    create: (passwords) =>
      mysqlServer(harness, passwords, ({ store, login, max, swapped, ...options }) => {
        const { database } = harness.server;
        const pool = createPool(store, (s) => ({ ...login(s), database, connectionLimit: max }), options);
        pool.rotation.on('swapped', swapped);
        return pool.promise();
      }),
  });
  for (const one of cases) it.skipIf(one.skipped !== undefined)(one.name, one.run, one.timeoutMs);
});
