import { createPool } from 'hot-secrets/mysql2';
import * as mysql2 from 'mysql2';
import { DataSource } from 'typeorm';
import type { Secrets } from '../measure';

export function useTypeOrm(secrets: Secrets, address: object) {
  // #region recipe
  // TypeORM makes its pool with the driver, and a new one after destroy().
  const hotPool = (options: mysql2.PoolOptions) =>
    createPool(secrets, (s) => ({ ...options, user: s.reveal('user'), password: s.reveal('password') }));
  const dataSource = new DataSource({
    type: 'mysql',
    driver: { ...mysql2, createPool: hotPool },
    ...address, // host, port and database
  });
  // #endregion
  return dataSource;
}
