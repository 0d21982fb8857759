import { mountedFiles, SecretStore } from 'hot-secrets';
import { type CreatePoolOptions, createPool, type HotPool } from 'hot-secrets/pg';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import type { PoolConfig } from 'pg';
import { onTestFinished } from 'vitest';
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres';

/** One server for a test file, with what it wrote to its log. */
export interface PgHarness {
  readonly server: PostgresServer;
  /** Lines of the server's log that match. */
  logged(pattern: RegExp): number;
  /** Logins of a role that the server refused. */
  refused(role: string): number;
  /** Connections of a role, as the server sees them. */
  backends(role: string): Promise<number>;
  /** Makes a role that may log in, under a name of its own. */
  role(password: string): Promise<string>;
  alter(role: string, clause: string): Promise<void>;
  /** Logins that the server took, of any role of the tests, since it started. */
  accepted(role: string): number;
}

let roles = 0;

export async function startPgHarness(options: PostgresOptions = {}): Promise<PgHarness> {
  const log: string[] = [];
  const server = await startPostgres({
    ...options,
    // It notices a client that went away also while it runs a query.
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

/** The secrets of one pool, in a mount of their own, followed by a store. */
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
      onTestFinished(() => {
        // Whatever a test left checked out must not outlive it.
        void pool.end();
      });
      return pool;
    },
  };
}

/** A pool whose first connections go through the proxy, and those after the first rotation straight to the server. */
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
  onTestFinished(() => void pool.end());
  return pool;
}
