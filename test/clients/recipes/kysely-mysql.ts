import type { HotPool } from 'hot-secrets/mysql2';
import { Kysely, MysqlDialect } from 'kysely';

export function useKysely<Database>(pool: HotPool) {
  // #region recipe
  const db = new Kysely<Database>({ dialect: new MysqlDialect({ pool }) });
  // #endregion
  return db;
}
