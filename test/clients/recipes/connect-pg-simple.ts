import connectPgSimple from 'connect-pg-simple';
import session from 'express-session';
import type { HotPool } from 'hot-secrets/pg';

export function useConnectPgSimple(pool: HotPool) {
  // #region recipe
  const PgSession = connectPgSimple(session);
  const store = new PgSession({ pool });
  // #endregion
  return store;
}
