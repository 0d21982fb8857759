import { rotating } from 'hot-secrets';
import postgres from 'postgres';
import type { Secrets } from '../measure';

type Options = postgres.Options<Record<string, postgres.PostgresType>>;

export async function usePostgresJs(secrets: Secrets, address: Options) {
  // #region recipe
  const sql = rotating(
    secrets,
    {
      build: (s) => postgres({ ...address, user: s.reveal('user'), pass: s.reveal('password') }),
      verify: (sql) => sql`select 1`,
      dispose: (sql) => sql.end({ timeout: 5 }),
    },
    { isRefused: ({ code }) => code === '28P01' },
  );
  await sql.ready;
  // #endregion
  return sql;
}
