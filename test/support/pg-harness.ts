import { mountedFiles, SecretStore } from 'hot-secrets';
import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/pg';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import type { PoolConfig } from 'pg';
import { onTestFinished } from 'vitest';
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres';

/** One server for a test file, with its log. */
export interface PgHarness {
  readonly server: PostgresServer;
  /** Counts the lines of the server's log that match. */
  logged(pattern: RegExp): number;
  /** Counts the refused logins of a role. */
  refused(role: string): number;
  /** Counts the connections of a role on the server. */
  backends(role: string): Promise<number>;
  /** Creates a role with login and a unique name. */
  role(password: string): Promise<string>;
  alter(role: string, clause: string): Promise<void>;
  /** Counts the accepted logins of a role. */
  accepted(role: string): number;
}

let roles = 0;

export async function startPgHarness(options: PostgresOptions = {}): Promise<PgHarness> {
  const log: string[] = [];
  const server = await startPostgres({
    ...options,
    // The server notices a closed client even while it runs a query.
    settings: { log_connections: 'on', client_connection_check_interval: '50', ...options.settings },
    onLog: (line) => log.push(line),
  });
  const count = (pattern: RegExp) => log.filter((line) => pattern.test(line)).length;
  const alter = async (role: string, clause: string) => {
    await server.query(`alter role ${role} ${clause}`);
  };
  return {
    server,
    alter,
    logged: count,
    refused: (role) => count(new RegExp(`FATAL: .*(authentication failed for user|role) "${role}"`)),
    accepted: (role) => count(new RegExp(`connection authorized: user=${role} `)),
    async backends(role) {
      const sql = 'select count(*)::int as n from pg_stat_activity where usename = $1';
      const { rows } = await server.query<{ n: number }>(sql, [role]);
      return rows[0]?.n ?? 0;
    },
    async role(password) {
      roles += 1;
      const role = `role_${roles}`;
      await server.query(`create role ${role} login password '${password}'`);
      return role;
    },
  };
}

/** The secrets of one pool in a mount, with the store that follows it. */
export interface PoolHarness {
  readonly mount: TestMount;
  readonly secrets: SecretStore<{ readonly user: string; readonly password: string; readonly other: string }>;
  pool(config?: PoolConfig, options?: CreatePoolOptions): HotPool;
}

export async function poolHarness(harness: PgHarness, user: string, password: string): Promise<PoolHarness> {
  const { host, port, database } = harness.server;
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
      onTestFinished(() => leave(pool));
      return pool;
    },
  };
}

/**
 * Ends a pool at the end of a test, even if a client is still checked out. The server of the file may stop before the last
 * connection has closed, which no other test must hear of.
 */
export function leave(pool: HotPool): void {
  pool.on('error', () => {});
  void pool.end();
}

/** A pool that connects through the proxy, and directly to the server after the first rotation. */
export function poolThroughProxyAtFirst(
  harness: PgHarness,
  secrets: PoolHarness['secrets'],
  proxyPort: number,
  config: PoolConfig = {},
  options: CreatePoolOptions = {},
): HotPool {
  const { host, port, database } = harness.server;
  const pool = createPool(
    secrets,
    (s) => ({
      host,
      database,
      port: s.generation === 1 ? proxyPort : port,
      user: s.reveal('user'),
      password: s.reveal('password'),
      ...config,
    }),
    { retireOverMs: 50, ...options },
  );
  onTestFinished(() => leave(pool));
  return pool;
}
