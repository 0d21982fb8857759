import { drizzle } from 'drizzle-orm/mysql2';
import type { HotPool } from 'hot-secrets/mysql2';

export function useDrizzle(pool: HotPool) {
  // #region recipe
  const db = drizzle({ client: pool });
  // #endregion
  return db;
}
