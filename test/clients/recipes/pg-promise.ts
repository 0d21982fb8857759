import { createPool, type PgModule } from 'hot-secrets/pg';
import pgPromise from 'pg-promise';
import type { Secrets } from '../measure';

export function usePgPromise(secrets: Secrets, address: { host: string; port: number; database: string }) {
  // #region recipe
  const pgp = pgPromise();
  const pg = { ...pgp.pg } as unknown as PgModule; // pg-promise takes the class of its pool from pgp.pg
  function Pool(options: object) {
    return createPool(
      secrets,
      (s) => ({ ...options, user: s.reveal('user'), password: s.reveal('password') }),
      {
        pg,
      },
    );
  }
  Object.assign(pgp.pg, { Pool });
  const db = pgp(address);
  // #endregion
  return { db, pgp };
}
