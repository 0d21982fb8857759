import { drizzle } from 'drizzle-orm/node-postgres';
import type { HotPool } from 'hot-secrets/pg';

export function useDrizzle(pool: HotPool) {
  // #region recipe
  const db = drizzle({ client: pool });
  // #endregion
  return db;
}
