import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { realNow } from '../../internal/real-time';
import { bounded } from '../../internal/time';
import { memory } from '../../sources/memory';
import { SecretStore } from '../../store/open';
import { until } from '../source-harness';
import type { PoolHarness, PoolRequest, PoolServer, PoolUnderTest } from './harness';
import { type LoginProxy, startLoginProxy } from './login-proxy';

/** How long a case waits for one condition, or for calls to settle. Generous, because it only matters when a case fails. */
const BOUND_MS = 15_000;
/** Most conditions ask the server. */
const POLL_MS = 20;

/** A pool of a case. */
export interface StagePool extends PoolUnderTest {
  /** How often it has swapped its credential. */
  readonly swaps: number;
}

/** The calls of a load. */
export interface Load {
  readonly done: number;
  /** Resolves when `count` more calls have succeeded. */
  more(count: number): Promise<void>;
  stop(): Promise<LoadResult>;
}

export interface LoadResult {
  readonly failures: readonly unknown[];
  /** The number of calls that have neither succeeded nor failed. */
  readonly hung: number;
}

/** What a case works with. Everything ends with the case. */
export interface PoolStage {
  readonly server: Required<PoolServer>;
  /** What pools connect to, unless their route says otherwise. */
  readonly proxy: LoginProxy;
  /** The first user, with whose credential the case begins, and the second one. */
  readonly users: readonly [string, string];
  pool(options?: StagePoolOptions): Promise<StagePool>;
  /** Sets the secrets to the credential of a user, with its current password or with one that differs. */
  rotate(user: string, password?: string): void;
  /** Rotates to the current credential of a user, and waits until the pool has swapped. */
  swap(pool: StagePool, user: string): Promise<void>;
  /** Gives a user a new password on the server only. */
  changePassword(user: string): Promise<void>;
  /** Waits until none of these sessions of a user is open. Default: all of its sessions. */
  gone(user: string, ids?: readonly string[]): Promise<void>;
  /** Makes calls in parallel loops until `stop`. Records failures and continues. */
  load(workers: number, call: () => Promise<unknown>): Load;
  /** Ends a pool, twice. Resolves when it has ended; rejects if it does not in time. */
  end(pool: StagePool): Promise<void>;
  /** Stops the server until `start`, or until the end of the case. */
  stop(): Promise<void>;
  start(): Promise<void>;
  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void>;
}

export interface StagePoolOptions
  extends Partial<Pick<PoolRequest, 'max' | 'retireOverMs' | 'drainTimeoutMs'>> {
  /** Default: `proxy`. `directAfterSwap`: logins with the first credential use the proxy. */
  readonly route?: 'proxy' | 'direct' | 'directAfterSwap';
  /** Called at each swap, synchronously. */
  readonly onSwap?: () => void;
}

export async function withStage(
  harness: PoolHarness,
  check: (stage: PoolStage) => Promise<void>,
): Promise<void> {
  const passwords: [string, string] = ['pool-first-0', 'pool-second-0'];
  const server = (await harness.create(passwords)) as Required<PoolServer>;
  const { host, port, users } = server;
  const current = new Map([
    [users[0], passwords[0]],
    [users[1], passwords[1]],
  ]);
  const source = memory({ user: users[0], password: passwords[0] });
  const store = await SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [source],
    on: { error: () => {} },
  });
  const proxy = await startLoginProxy({ host, port });
  const pools: StagePool[] = [];
  const loads: RunningLoad[] = [];
  let changes = 0;
  let down = false;

  const stage: PoolStage = {
    server,
    proxy,
    users,
    async pool({ route = 'proxy', max = 6, retireOverMs = 100, drainTimeoutMs = 600_000, onSwap } = {}) {
      const first = store.generation;
      let swaps = 0;
      const proxied = (generation: number) =>
        route === 'proxy' || (route === 'directAfterSwap' && generation === first);
      const made = await server.createPool({
        store,
        login: (s) => ({
          ...(proxied(s.generation) ? { host: '127.0.0.1', port: proxy.port } : { host, port }),
          user: s.reveal('user'),
          password: s.reveal('password'),
        }),
        max,
        retireOverMs,
        drainTimeoutMs,
        swapped: () => {
          swaps += 1;
          onSwap?.();
        },
      });
      const pool: StagePool = {
        query: (durationMs) => made.query(durationMs),
        transfer: (from, to, pause) => made.transfer(from, to, pause),
        end: () => made.end(),
        get swaps() {
          return swaps;
        },
      };
      pools.push(pool);
      return pool;
    },
    rotate(user, password = current.get(user) as string) {
      source.set({ user, password });
    },
    async swap(pool, user) {
      const before = pool.swaps;
      stage.rotate(user);
      await stage.until(() => pool.swaps > before, 'a swap');
    },
    async changePassword(user) {
      changes += 1;
      const password = `pool-changed-${changes}`;
      current.set(user, password);
      await server.setPassword(user, password);
    },
    async gone(user, ids) {
      await stage.until(async () => {
        const open = await server.sessions(user);
        return ids === undefined ? open.length === 0 : !open.some((id) => ids.includes(id));
      }, `the end of the old sessions of ${user}`);
    },
    load(workers, call) {
      const load = startLoad(workers, call);
      loads.push(load);
      return load;
    },
    end: (pool) => inTime(Promise.all([pool.end(), pool.end()]), 'end()'),
    async stop() {
      down = true;
      await server.stop();
    },
    async start() {
      await server.start();
      down = false;
    },
    until: (condition, what) => until(condition, BOUND_MS, what, POLL_MS),
  };

  try {
    await check(stage);
  } catch (error) {
    throw withFailures(error, loads);
  } finally {
    proxy.release();
    proxy.refuses = false;
    proxy.delayMs = 0;
    if (down) await server.start();
    // A pool that does not end must not hide what the case has found.
    await inTime(Promise.allSettled(pools.map((pool) => pool.end())), 'end()').catch(() => {});
    await store.close();
    await proxy.close();
    await server.cleanup?.();
  }
}

async function inTime(promise: Promise<unknown>, what: string): Promise<void> {
  await bounded(
    promise,
    BOUND_MS,
    () => new assert.AssertionError({ message: `${what} took over ${BOUND_MS} ms` }),
  );
}

interface RunningLoad extends Load {
  readonly failures: readonly unknown[];
  /** Lets no worker make another call. */
  cancel(): void;
}

function startLoad(workers: number, call: () => Promise<unknown>): RunningLoad {
  const failures: unknown[] = [];
  let done = 0;
  let running = true;
  let left = workers;
  const work = async () => {
    while (running) {
      try {
        await call();
        done += 1;
      } catch (error) {
        failures.push(error);
        // Calls that fail immediately must not block the event loop.
        await sleep(10);
      }
    }
    left -= 1;
  };
  for (let worker = 0; worker < workers; worker += 1) void work();
  return {
    failures,
    cancel() {
      running = false;
    },
    get done() {
      return done;
    },
    async more(count) {
      const reached = done + count;
      await until(() => done >= reached, BOUND_MS, `${count} more calls`);
    },
    async stop() {
      running = false;
      const bound = realNow() + BOUND_MS;
      while (left > 0 && realNow() < bound) await sleep(5);
      return { failures, hung: left };
    },
  };
}

/** Asserts that every call succeeded, apart from `allowed` failures. */
export function assertServed({ failures, hung }: LoadResult, allowed = 0): void {
  if (failures.length <= allowed && hung === 0) return;
  const most = allowed === 0 ? '' : ` (at most ${allowed} may)`;
  assert.fail(`${failures.length} calls failed${most}, ${hung} hung: ${messagesOf(failures)}`);
}

/** Ends the loads of a case that failed, and adds to its error what they have met: often the cause. */
function withFailures(error: unknown, loads: readonly RunningLoad[]): unknown {
  for (const load of loads) load.cancel();
  const failures = loads.flatMap((load) => load.failures);
  if (!(error instanceof Error) || failures.length === 0 || error.message.includes(' calls failed'))
    return error;
  const message = `${error.message}; ${failures.length} calls failed until then: ${messagesOf(failures)}`;
  return new Error(message, { cause: error });
}

function messagesOf(failures: readonly unknown[]): string {
  const messages = failures.map((error) => (error instanceof Error ? error.message : String(error)));
  return [...new Set(messages)].slice(0, 3).join('; ');
}
