import type { HotPool } from 'hot-secrets/pg';
import knex from 'knex';
import { Model } from 'objection';

export function useObjection(pool: HotPool) {
  // #region recipe
  Model.knex(knex({ client: 'pg', connectionPool: pool }));
  // #endregion
  return Model;
}
