import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/pg';
import type { PoolConfig } from 'pg';
import { startPostgres } from '../../support/postgres';
import type { Secrets } from '../measure';
import { type EntryServer, transactionsOn, type Writer } from './transactions';

/** A PostgreSQL server with two roles and a table that both may write. */
export interface Postgres extends EntryServer {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

const ROLES = ['app_blue', 'app_green'];

export async function startServer(): Promise<Postgres> {
  let refused = 0;
  const server = await startPostgres({
    onLog: (line) => {
      if (/FATAL: .*authentication failed for user "app_/.test(line)) refused += 1;
    },
  });
  await server.query('create role app nologin');
  for (const role of ROLES) await server.query(`create role ${role} login in role app`);
  await server.query(
    'create table entries (id serial primary key, note text not null, kept boolean not null)',
  );
  await server.query('grant all on entries to app; grant all on sequence entries_id_seq to app');
  // Libraries that make tables of their own.
  await server.query('grant create on database postgres to app; grant create, usage on schema public to app');
  return {
    host: server.host,
    port: server.port,
    database: server.database,
    refused: () => refused,
    async changePassword(role, password) {
      await server.query(`alter role ${role} password '${password}'`);
    },
    async sessions() {
      const { rows } = await server.query<{ key: string }>(
        `select pid || '@' || backend_start as key from pg_stat_activity where usename like 'app_%'`,
      );
      return rows.map(({ key }) => key);
    },
    async entries() {
      const { rows } = await server.query<{ kept: string; dropped: string }>(
        'select count(*) filter (where kept) as kept, count(*) filter (where not kept) as dropped from entries',
      );
      return { kept: Number(rows[0]?.kept), dropped: Number(rows[0]?.dropped) };
    },
    [Symbol.asyncDispose]: server.stop,
  };
}

/** Where and as whom a client connects. */
export const addressOf = ({ host, port, database }: Postgres) => ({ host, port, database });

/** The pool of every row. Its connections end after 50 uses, so that new logins are needed at any time. */
export function poolOf(
  secrets: Secrets,
  server: Postgres,
  config: PoolConfig = {},
  options: CreatePoolOptions = {},
): HotPool {
  const recipe = (s: ReturnType<Secrets['snapshot']>) => ({
    ...addressOf(server),
    user: s.reveal('user'),
    password: s.reveal('password'),
    max: 10,
    maxUses: 50,
    ...config,
  });
  const pool = createPool(secrets, recipe, options);
  pool.on('error', () => {});
  return pool;
}

/** A row of PostgreSQL whose workers write in transactions. */
export const transactions = (start: (secrets: Secrets, server: Postgres) => Promise<Writer> | Writer) =>
  transactionsOn({ server: startServer }, start);
