import { setTimeout as sleep } from 'node:timers/promises';
import { memory, SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';
import pg from 'pg';
import { expect } from 'vitest';
import { type PostgresServer, startPostgres } from '../../support/postgres';
import { waitFor } from '../../support/wait-for';

/** The suites run with both, so that a test that fails with `createPool` alone is a difference. */
export const POOLS = ['pg.Pool', 'createPool'] as const;
export type PoolName = (typeof POOLS)[number];

/** A database of its own, and pools whose password rotates all the time if `createPool` makes them. */
export interface Stage {
  readonly server: PostgresServer;
  readonly role: string;
  pool(config?: pg.PoolConfig): pg.Pool;
  /** Resolves after the next rotation, and at once if the password does not rotate. */
  rotation(): Promise<void>;
  /** Runs something between two rotations. */
  steady(run: () => Promise<void>): Promise<void>;
  /** Ends the rotations, the pools and the server. Fails unless every rotation succeeded, and there were several. */
  close(): Promise<void>;
}

/** Listens to the errors of lost connections, as every user of a pool of pg has to. */
export function toleratesLosses(pool: pg.Pool): pg.Pool {
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

/** How long the server is ahead of the secret. Callers that log in meanwhile wait. */
const AHEAD_MS = 20;
const BETWEEN_MS = 150;

export async function openStage(name: PoolName): Promise<Stage> {
  const server = await startPostgres();
  await server.query(`create role app login password 'password-0'`);
  await server.query('create database app owner app');
  const source = memory({ password: 'password-0' });
  const secrets = await SecretStore.open({ secrets: { password: 'password' }, sources: [source] });
  const problems: unknown[] = [];
  // While the server is ahead, a refusal is expected: nobody but the pool hears of it.
  secrets.on('error', (error) => {
    if (error.code !== 'CREDENTIAL_REFUSED') problems.push(error);
  });
  const login = { host: server.host, port: server.port, user: 'app', database: 'app' };
  const pools: pg.Pool[] = [];
  let rotations = 0;
  let rotating = false;
  let held = false;
  let closing = false;

  async function rotate(): Promise<void> {
    while (!closing) {
      rotating = !held;
      if (!rotating) {
        await sleep(BETWEEN_MS);
        continue;
      }
      const password = `password-${rotations + 1}`;
      await server.query(`alter role app password '${password}'`);
      await sleep(AHEAD_MS);
      source.set({ password });
      await waitFor(() => secrets.reveal('password') === password, { what: 'the store' });
      await Promise.all(
        pools.map((pool) =>
          waitFor(() => pool.ending || pool.options.password === password, { what: 'the swap' }),
        ),
      );
      rotations += 1;
      rotating = false;
      await sleep(BETWEEN_MS);
    }
  }
  const rotated = name === 'createPool' ? rotate() : Promise.resolve();
  rotated.catch((error) => problems.push(error));

  return {
    server,
    role: 'app',
    pool(config = {}) {
      const pool =
        name === 'createPool'
          ? createPool(secrets, (s) => ({ ...login, password: s.reveal('password'), ...config }), {
              retireOverMs: 50,
            })
          : new pg.Pool({ ...login, password: 'password-0', ...config });
      pools.push(pool);
      return pool;
    },
    async rotation() {
      const before = rotations;
      if (name === 'createPool') await waitFor(() => rotations > before || problems.length > 0);
    },
    async steady(run) {
      held = true;
      try {
        await waitFor(() => !rotating);
        await run();
      } finally {
        held = false;
      }
    },
    async close() {
      if (name === 'createPool') await waitFor(() => rotations >= 3 || problems.length > 0);
      closing = true;
      await rotated.catch(() => {});
      await Promise.all(pools.map((pool) => (pool.ending ? undefined : pool.end())));
      await secrets.close();
      await server.stop();
      expect(problems).toEqual([]);
    },
  };
}
