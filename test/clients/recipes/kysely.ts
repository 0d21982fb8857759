import type { HotPool } from 'hot-secrets/pg';
import { Kysely, PostgresDialect } from 'kysely';

export function useKysely<Database>(pool: HotPool) {
  // #region recipe
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  // #endregion
  return db;
}
