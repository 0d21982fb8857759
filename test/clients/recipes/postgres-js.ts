import { setTimeout as sleep } from 'node:timers/promises';
import { rotating } from 'hot-secrets';
import postgres from 'postgres';
import type { Secrets } from '../measure';

type Options = postgres.Options<Record<string, postgres.PostgresType>>;

export async function usePostgresJs(secrets: Secrets, address: Options) {
  // #region recipe
  const sql = rotating(secrets, {
    build: (s) => postgres({ ...address, user: s.reveal('user'), pass: s.reveal('password') }),
    verify: (sql) => sql`select 1`,
    dispose: (sql) => sql.end({ timeout: 5 }),
  });
  await sql.ready;

  /** Runs one query or one transaction. A refused login has run nothing of it, so it waits for a newer password. */
  async function run<T>(work: (sql: postgres.Sql) => Promise<T>, until = Date.now() + 60_000): Promise<T> {
    try {
      return await sql.use(work);
    } catch (error) {
      if ((error as { code?: string }).code !== '28P01' || Date.now() > until) throw error;
      await secrets.refresh({ trigger: 'auth-failure' });
      await sleep(250);
      return run(work, until);
    }
  }
  // #endregion
  return { sql, run };
}
