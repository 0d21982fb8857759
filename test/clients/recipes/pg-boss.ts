import type { HotPool } from 'hot-secrets/pg';
import { PgBoss } from 'pg-boss';

export function usePgBoss(pool: HotPool) {
  // #region recipe
  const boss = new PgBoss({ db: { executeSql: (text, values) => pool.query(text, values) } });
  // #endregion
  return boss;
}
