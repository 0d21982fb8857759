import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/mysql2';
import type { PoolOptions } from 'mysql2';
import { startMariadb } from '../../support/mariadb';
import type { Secrets } from '../measure';
import { type EntryServer, transactionsOn, type Writer } from './transactions';

/** A MariaDB server with two users and a table that both may write. */
export interface Mysql extends EntryServer {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

const USERS = ['app_blue', 'app_green'];
const MAX_USES = 50;

async function startServer(): Promise<Mysql> {
  let refused = 0;
  const server = await startMariadb({
    onLog: (line) => {
      if (line.includes("Access denied for user 'app_")) refused += 1;
    },
  });
  for (const user of USERS) {
    await server.query(`create user ${user}`);
    await server.query(`grant all on ${server.database}.* to ${user}`);
  }
  await server.query(
    'create table entries (id int auto_increment primary key, note text not null, kept boolean not null)',
  );
  return {
    host: server.host,
    port: server.port,
    database: server.database,
    refused: () => refused,
    async changePassword(user, password) {
      await server.query(`alter user ${user} identified by '${password}'`);
    },
    async sessions() {
      const sql = "select id from information_schema.processlist where user like 'app%'";
      return (await server.query<{ id: number }>(sql)).map(({ id }) => String(id));
    },
    async entries() {
      const [row] = await server.query<{ kept: string; all: string }>(
        'select coalesce(sum(kept), 0) as kept, count(*) as `all` from entries',
      );
      const kept = Number(row?.kept);
      return { kept, dropped: Number(row?.all) - kept };
    },
    [Symbol.asyncDispose]: server.stop,
  };
}

/** Where a client connects. */
export const addressOf = ({ host, port, database }: Mysql) => ({ host, port, database });

/** Closes each connection after some uses, so that new logins are needed at any time. */
export function churning(pool: HotPool): HotPool {
  const uses = new WeakMap<object, number>();
  pool.on('acquire', (connection) => uses.set(connection, (uses.get(connection) ?? 0) + 1));
  pool.on('release', (connection) => {
    if ((uses.get(connection) ?? 0) >= MAX_USES) connection.destroy();
  });
  return pool;
}

/** The pool of every row. */
export function poolOf(
  secrets: Secrets,
  server: Mysql,
  config: PoolOptions = {},
  options: CreatePoolOptions = {},
): HotPool {
  const recipe = (s: ReturnType<Secrets['snapshot']>) => ({
    ...addressOf(server),
    user: s.reveal('user'),
    password: s.reveal('password'),
    connectionLimit: 10,
    ...config,
  });
  return churning(createPool(secrets, recipe, options));
}

/** A row of MySQL whose workers write in transactions. */
export const transactions = (start: (secrets: Secrets, server: Mysql) => Promise<Writer> | Writer) =>
  transactionsOn({ needs: ['mariadb-server', 'mariadbd'], server: startServer }, start);
