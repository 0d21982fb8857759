import { createPool } from 'hot-secrets/pg';
import pg from 'pg';
import { DataSource } from 'typeorm';
import type { Secrets } from '../measure';

export function useTypeOrm(secrets: Secrets, address: object) {
  // #region recipe
  // TypeORM makes a pool for each server of its options, and new ones after destroy().
  function Pool(options: pg.PoolConfig) {
    return createPool(secrets, (s) => ({
      ...options,
      user: s.reveal('user'),
      password: s.reveal('password'),
    }));
  }
  const dataSource = new DataSource({
    type: 'postgres',
    driver: { ...pg, Pool },
    ...address, // host, port and database, or `replication`
  });
  // #endregion
  return dataSource;
}
