import type { HotPool } from 'hot-secrets/pg';
import knex from 'knex';

export function useKnex(pool: HotPool) {
  // #region recipe
  const db = knex({ client: 'pg', connectionPool: pool });
  // #endregion
  return db;
}
