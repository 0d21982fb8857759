import { rotating } from 'hot-secrets';
import sql from 'mssql';
import type { Secrets } from '../measure';

export async function useMssql(secrets: Secrets, address: { server: string; database: string }) {
  // #region recipe
  const mssql = rotating(
    secrets,
    {
      build: (s) =>
        new sql.ConnectionPool({
          ...address,
          user: s.reveal('user'),
          password: s.reveal('password'),
        }).connect(),
      verify: (pool) => pool.request().query('select 1'),
      dispose: (pool) => pool.close(),
    },
    { isRefused: ({ code }) => code === 'ELOGIN' },
  );
  await mssql.ready;
  // #endregion
  return mssql;
}
