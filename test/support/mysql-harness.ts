import { mountedFiles, SecretStore } from 'hot-secrets';
import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/mysql2';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import type { PoolOptions } from 'mysql2';
import { onTestFinished } from 'vitest';
import { type MariadbOptions, type MariadbServer, startMariadb } from './mariadb';
import { isMysql } from './mysql-programs';

/** The numbers of the errors in which MariaDB and MySQL differ. */
const ERRNOS = {
  mariadb: { locked: 4151, blocked: 4150, expired: 1820 },
  mysql: { locked: 3118, blocked: 3955, expired: 1862 },
} as const;

/** Options of `startMysqlHarness`. */
export interface MysqlHarnessOptions extends MariadbOptions {
  /** The refused logins in a row after which the server blocks an account. */
  readonly blockAfter?: number;
}

/** One server for a test file, with its log. */
export interface MysqlHarness {
  readonly server: MariadbServer;
  /** The numbers with which the server refuses an account. */
  readonly errnos: { readonly locked: number; readonly blocked: number; readonly expired: number };
  /** Counts the logins of a user whose password the server refused. */
  refused(user: string): number;
  /** Counts the sessions of a user on the server. */
  sessions(user: string): Promise<number>;
  /** Ends the sessions of a user. */
  kill(user: string): Promise<void>;
  /** Creates a user with a unique name, who may use the database. */
  user(password: string): Promise<string>;
  alter(user: string, clause: string): Promise<void>;
}

let users = 0;

export async function startMysqlHarness({
  blockAfter,
  ...options
}: MysqlHarnessOptions = {}): Promise<MysqlHarness> {
  const log: string[] = [];
  const settings = { ...options.settings };
  // MySQL has this setting for each account instead.
  if (blockAfter !== undefined && !isMysql) settings.max_password_errors = String(blockAfter);
  const server = await startMariadb({ ...options, settings, onLog: (line) => log.push(line) });
  return {
    server,
    errnos: ERRNOS[server.kind],
    refused: (user) => log.filter((line) => line.includes(`Access denied for user '${user}'@`)).length,
    async sessions(user) {
      const [row] = await server.query<{ n: number }>(
        'select count(*) as n from information_schema.processlist where user = ?',
        [user],
      );
      return row?.n ?? 0;
    },
    async kill(user) {
      const sql = 'select id from information_schema.processlist where user = ?';
      const open = await server.query<{ id: number }>(sql, [user]);
      // A session may have ended meanwhile.
      await Promise.all(open.map(({ id }) => server.query(`kill ${id}`).catch(() => {})));
    },
    async alter(user, clause) {
      await server.query(`alter user ${user} ${clause}`);
    },
    async user(password) {
      users += 1;
      const user = `user_${users}`;
      const limit =
        isMysql && blockAfter !== undefined
          ? `failed_login_attempts ${blockAfter} password_lock_time unbounded`
          : '';
      await server.query(`create user ${user} identified by '${password}' ${limit}`);
      await server.query(`grant all on ${server.database}.* to ${user}`);
      return user;
    },
  };
}

/** The secrets of one pool in a mount, with the store that follows it. */
export interface PoolHarness {
  readonly mount: TestMount;
  readonly secrets: SecretStore<{ readonly user: string; readonly password: string; readonly other: string }>;
  /** Makes a pool with the common settings, and ends it at the end of the test. */
  pool(config?: PoolOptions, options?: CreatePoolOptions): HotPool;
}

export async function poolHarness(
  { server: { host, port, database } }: Pick<MysqlHarness, 'server'>,
  user: string,
  password: string,
): Promise<PoolHarness> {
  const mount = await createTestMount({ user, password, other: 'unrelated' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password', other: 'other' },
    sources: [mountedFiles(mount.path)],
  });
  onTestFinished(async () => {
    await secrets.close();
    await mount.cleanup();
  });
  return {
    mount,
    secrets,
    pool(config = {}, options = {}) {
      const pool = createPool(
        secrets,
        (s) => ({ host, port, database, user: s.reveal('user'), password: s.reveal('password'), ...config }),
        { retireOverMs: 100, ...options },
      );
      onTestFinished(() => {
        pool.rotation.on('error', () => {});
        pool.end();
      });
      return pool;
    },
  };
}

/** Resolves when `end()` of a pool calls back. */
export function ended(pool: HotPool): Promise<void> {
  return new Promise((resolve, reject) => pool.end((error) => (error ? reject(error) : resolve())));
}
