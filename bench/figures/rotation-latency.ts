import { setTimeout as sleep } from 'node:timers/promises';
import { hasServer } from '../../test/support/debian-server';
import { startMariadb } from '../../test/support/mariadb';
import { startPostgres } from '../../test/support/postgres';
import { startRedis } from '../../test/support/redis';
import { RIGHTS } from '../../test/support/redis-rights';
import {
  createMysqlPool,
  createPool,
  createRedis,
  createRedisClient,
  memory,
  SecretStore,
} from '../support/built';
import { atMost, type Check, type FigureOptions, type FigureResult } from '../support/result';
import { medianRatio, quantile } from '../support/statistics';

/** The load leaves the processor idle at times, as a service does. */
const CALLERS = 20;
/**
 * Each caller pauses for 5 to 15 ms. With equal pauses, all callers call in the same turn of the event loop, so one
 * collection of garbage delays twenty calls, and the few collections of a window decide its 99th percentile.
 */
const pauseMs = () => 5 + 10 * Math.random();
const WARM_UP_MS = 2_000;
/** Many times the duration of a rotation of Redis, so that a window has 200 calls above its 99th percentile. */
const WINDOW_MS = 11_000;
/** A pool replaces its connections over twenty seconds. */
const POOL_WINDOW_MS = 21_000;
const ROUNDS = { full: 5, short: 1 };
const PAUSE_BETWEEN_MS = 500;
const USERS = ['app_blue', 'app_green'] as const;
/** In a short run, one stall of a shared machine decides. */
const TARGET = { full: 1.2, short: 4 };

/** A client under load, and its server. */
interface Side extends AsyncDisposable {
  /** Gives a user another password. */
  changePassword(user: string, password: string): Promise<void>;
  work(): Promise<unknown>;
}

type Secrets = Awaited<ReturnType<typeof openSecrets>>['secrets'];
type Start = (
  secrets: Secrets,
  ready: (side: Pick<Side, 'changePassword'>) => Promise<void>,
) => Promise<Side>;

async function openSecrets() {
  const source = memory({ user: USERS[0], password: 'first' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [source],
  });
  return { secrets, source };
}

/** How to start a client. */
interface Setup {
  /** The Debian package and the program that its server needs. */
  readonly needs?: readonly [string, string];
  /** The duration of each window. Default: `WINDOW_MS`. */
  readonly windowMs?: number;
  readonly start: Start;
}

const SIDES: Readonly<Record<string, Setup>> = {
  'node-redis': {
    needs: ['redis-server', 'redis-server'],
    async start(secrets, ready) {
      const { server, changePassword } = await redisServer();
      await ready({ changePassword });
      const { host, port } = server;
      const client = createRedisClient(secrets, (s) => ({
        socket: { host, port },
        username: s.reveal('user'),
        password: s.reveal('password'),
      }));
      client.on('error', () => {});
      await client.connect();
      return {
        changePassword,
        work: () => client.incr('n'),
        async [Symbol.asyncDispose]() {
          client.destroy();
          await server[Symbol.asyncDispose]();
        },
      };
    },
  },
  ioredis: {
    needs: ['redis-server', 'redis-server'],
    async start(secrets, ready) {
      const { server, changePassword } = await redisServer();
      await ready({ changePassword });
      const { host, port } = server;
      const redis = createRedis(secrets, (s) => ({
        host,
        port,
        username: s.reveal('user'),
        password: s.reveal('password'),
      }));
      return {
        changePassword,
        work: () => redis.incr('n'),
        async [Symbol.asyncDispose]() {
          redis.disconnect();
          await server[Symbol.asyncDispose]();
        },
      };
    },
  },
  mysql2: {
    needs: ['mariadb-server', 'mariadbd'],
    windowMs: POOL_WINDOW_MS,
    async start(secrets, ready) {
      const server = await startMariadb();
      for (const user of USERS) {
        await server.query(`create user ${user} identified by 'none'`);
        await server.query(`grant all on ${server.database}.* to ${user}`);
      }
      const changePassword = async (user: string, password: string) => {
        await server.query(`alter user ${user} identified by '${password}'`);
      };
      await ready({ changePassword });
      const { host, port, database } = server;
      const pool = createMysqlPool(secrets, (s) => ({
        host,
        port,
        database,
        connectionLimit: 10,
        user: s.reveal('user'),
        password: s.reveal('password'),
      }));
      const promised = pool.promise();
      return {
        changePassword,
        work: () => promised.query('select 1'),
        async [Symbol.asyncDispose]() {
          await promised.end();
          await server.stop();
        },
      };
    },
  },
  pg: {
    windowMs: POOL_WINDOW_MS,
    async start(secrets, ready) {
      const server = await startPostgres();
      for (const user of USERS) await server.query(`create role ${user} login`);
      const changePassword = async (user: string, password: string) => {
        await server.query(`alter role ${user} password '${password}'`);
      };
      await ready({ changePassword });
      const { host, port, database } = server;
      const pool = createPool(secrets, (s) => ({
        host,
        port,
        database,
        max: 10,
        user: s.reveal('user'),
        password: s.reveal('password'),
      }));
      return {
        changePassword,
        work: () => pool.query('select 1'),
        async [Symbol.asyncDispose]() {
          await pool.end();
          await server.stop();
        },
      };
    },
  },
};

async function redisServer() {
  const server = await startRedis();
  const changePassword = (user: string, password: string) =>
    server.user(user, 'on', 'resetpass', `>${password}`, ...RIGHTS);
  return { server, changePassword };
}

/** Latencies in milliseconds of the calls that started during each rotation, and in the same time before it. */
interface Latencies {
  readonly rotating: number[][];
  readonly steady: number[][];
  failed: number;
}

async function measure({ start, windowMs = WINDOW_MS }: Setup, rounds: number): Promise<Latencies> {
  const { secrets, source } = await openSecrets();
  await using side = await start(secrets, ({ changePassword }) => changePassword(USERS[0], 'first'));
  const latencies: Latencies = { rotating: [], steady: [], failed: 0 };
  let into: number[] | undefined;
  let running = true;
  const loops = Array.from({ length: CALLERS }, async () => {
    while (running) {
      const window = into;
      const started = performance.now();
      try {
        await side.work();
        window?.push(performance.now() - started);
      } catch {
        latencies.failed += 1;
      }
      await sleep(pauseMs());
    }
  });
  await sleep(WARM_UP_MS);
  const record = async (windows: number[][]) => {
    into = [];
    windows.push(into);
    await sleep(windowMs);
    into = undefined;
  };
  for (let round = 1; round <= rounds; round += 1) {
    await record(latencies.steady);
    const user = USERS[round % 2] as string;
    const password = `password-${round}`;
    await side.changePassword(user, password);
    source.set({ user, password });
    void secrets.refresh();
    await record(latencies.rotating);
    await sleep(PAUSE_BETWEEN_MS);
  }
  running = false;
  await Promise.all(loops);
  await secrets.close();
  return latencies;
}

/** Compares the 99th percentile during each rotation, until the old connections are replaced, with that before it. */
export async function rotationLatency({ size }: FigureOptions): Promise<FigureResult> {
  const checks: Check[] = [];
  const details: Record<string, number> = {};
  for (const [name, setup] of Object.entries(SIDES)) {
    const { needs } = setup;
    if (needs !== undefined && !hasServer(...needs)) continue;
    const { rotating, steady, failed } = await measure(setup, ROUNDS[size]);
    const p99s = (windows: readonly number[][]) => windows.map((window) => quantile(window, 0.99));
    // Other programs on the machine disturb some windows; a rotation would disturb each.
    const ratio = medianRatio(p99s(rotating), p99s(steady));
    checks.push(atMost(0, `${name}: calls that failed`, failed));
    checks.push(atMost(TARGET[size], `${name}: p99 during a rotation, of that before it, median`, ratio));
    const control = medianRatio(p99s(steady.slice(1)), p99s(steady));
    if (steady.length > 1)
      details[`${name}: control, p99 before a rotation, of that before the last one`] = control;
    for (const [when, windows] of Object.entries({ 'during rotations': rotating, 'before them': steady })) {
      const all = windows.flat();
      details[`${name}: p50 ${when}, ms`] = quantile(all, 0.5);
      details[`${name}: p99 ${when}, ms`] = quantile(all, 0.99);
      details[`${name}: slowest ${when}, ms`] = quantile(all, 1);
      details[`${name}: calls ${when}`] = all.length;
    }
  }
  return { checks, details };
}
