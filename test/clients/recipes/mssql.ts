import { rotating } from 'hot-secrets';
import sql from 'mssql';
import type { Secrets } from '../measure';
import { patiently } from './patiently';

export async function useMssql(secrets: Secrets, address: { server: string; database: string }) {
  // #region recipe
  const mssql = rotating(secrets, {
    build: (s) =>
      new sql.ConnectionPool({
        ...address,
        user: s.reveal('user'),
        password: s.reveal('password'),
      }).connect(),
    verify: (pool) => pool.request().query('select 1'),
    dispose: (pool) => pool.close(),
  });
  await mssql.ready;

  /** Runs one query or one transaction. */
  function run<T>(work: (pool: sql.ConnectionPool) => Promise<T>): Promise<T> {
    return patiently(
      secrets,
      ({ code }) => code === 'ELOGIN',
      () => mssql.use(work),
    );
  }
  // #endregion
  return { mssql, run };
}
