import type { HotPool } from 'hot-secrets/mysql2';
import knex, { type Knex } from 'knex';

export function useKnex(pool: HotPool) {
  // #region recipe
  // The types of Knex and mysql2 differ in the callback of end().
  const db = knex({ client: 'mysql2', connectionPool: pool as Knex.MySQLPoolLike });
  // #endregion
  return db;
}
