import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { type FaultyProxy, startFaultyProxy } from '../../test/support/faulty-proxy';
import { startLoad } from '../../test/support/load';
import { type PostgresServer, startPostgres } from '../../test/support/postgres';
import { createPool, memory, SecretStore } from '../support/built';
import { atMost, type Check, type FigureOptions, type FigureResult, type Size } from '../support/result';
import { median, medianRatio } from '../support/statistics';

const PROCESSES = { full: 8, short: 6 };
/** Processes differ by several percent, since each compiles its code in its own way. */
const COST_TARGET = { full: 1.03, short: 1.05 };
const ROUNDS_PER_PROCESS = 40;
const CHILD = fileURLToPath(new URL('../support/query-cost-child.ts', import.meta.url));

/** What an application sees of one side of a fault. */
interface Outcome {
  readonly failed: number;
  readonly done: number;
}

/** One pool of either side, and the way to rotate its password in the database and in the application. */
interface Side {
  readonly pool: pg.Pool;
  rotate(): Promise<void>;
  end(): Promise<void>;
}

type Kind = 'createPool' | 'pg.Pool';

interface Bench {
  readonly proxy: FaultyProxy;
  make(kind: Kind, config: pg.PoolConfig, clause?: string): Promise<Side>;
}

interface Fault {
  readonly config: pg.PoolConfig;
  /** A clause of the role, such as a limit of connections. */
  readonly role?: string;
  run(side: Side, proxy: FaultyProxy): Promise<Outcome>;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'no login succeeds for 3 s after a rotation, max = callers': { config: { max: 10 }, run: failingLogins },
  'no login succeeds for 3 s after a rotation, max > callers': { config: { max: 20 }, run: failingLogins },
  'logins take 1 s from a rotation on, time limit 2 s': slowLogins(1_000, 2_000),
  'logins take 2 s from a rotation on, time limit 3 s': slowLogins(2_000, 3_000),
  'a cold burst of 20 callers, logins take 0.6 s, time limit 2 s': coldBurst(600, 2_000),
  'a cold burst of 20 callers, logins take 1 s, time limit 3 s': coldBurst(1_000, 3_000),
  'a rotation, the role is limited to max connections': {
    config: { max: 5 },
    role: 'connection limit 5',
    run: (side) => underLoad(side, 8, async () => sleep(2_000)),
  },
  'end() right after 20 queries': {
    config: { max: 20 },
    async run({ pool }) {
      const all = Array.from({ length: 20 }, () => pool.query('select 1'));
      const settled = Promise.allSettled(all);
      await pool.end();
      return outcomeOf(await settled);
    },
  },
};

/** Each fault hits a createPool and a plain pg.Pool. A failed query more is a miss. */
export async function poolFaults({ size }: FigureOptions): Promise<FigureResult> {
  await using server = await startPostgres();
  await using proxy = await startFaultyProxy(server);
  const bench = { proxy, make: maker(server, proxy.port) };
  const checks: Check[] = [];
  const details: Record<string, number> = {};
  for (const [name, fault] of Object.entries(FAULTS)) {
    const ours = await hit(bench, 'createPool', fault);
    const plain = await hit(bench, 'pg.Pool', fault);
    checks.push(atMost(plain.failed, `${name}: failed queries of createPool, against pg.Pool`, ours.failed));
    details[`${name}: served by createPool`] = ours.done;
    details[`${name}: served by pg.Pool`] = plain.done;
  }
  const cost = await queryCost(server, size);
  checks.push(
    atMost(
      COST_TARGET[size],
      'processor time of a query with createPool, against pg.Pool, median ratio',
      cost.ratio,
    ),
  );
  return { checks, details: { ...details, ...cost.details } };
}

async function hit(bench: Bench, kind: Kind, fault: Fault): Promise<Outcome> {
  const side = await bench.make(kind, fault.config, fault.role);
  try {
    return await fault.run(side, bench.proxy);
  } finally {
    bench.proxy.refuses = false;
    bench.proxy.delayMs = 0;
    await side.end();
  }
}

async function failingLogins(side: Side, proxy: FaultyProxy): Promise<Outcome> {
  return underLoad(side, 10, async () => {
    // Late enough for the test login of the new password.
    await sleep(200);
    proxy.refuses = true;
    await sleep(3_000);
    proxy.refuses = false;
  });
}

function slowLogins(delayMs: number, connectionTimeoutMillis: number): Fault {
  return {
    config: { max: 20, connectionTimeoutMillis },
    run: (side, proxy) =>
      underLoad(
        side,
        30,
        async () => sleep(4_000),
        () => {
          proxy.delayMs = delayMs;
        },
      ),
  };
}

function coldBurst(delayMs: number, connectionTimeoutMillis: number): Fault {
  return {
    config: { max: 20, connectionTimeoutMillis },
    async run({ pool }, proxy) {
      proxy.delayMs = delayMs;
      return outcomeOf(
        await Promise.allSettled(Array.from({ length: 20 }, () => pool.query('select pg_sleep(0.5)'))),
      );
    },
  };
}

async function underLoad(
  side: Side,
  workers: number,
  meanwhile: () => Promise<void>,
  before: () => void = () => {},
): Promise<Outcome> {
  const load = startLoad(workers, () => side.pool.query('select pg_sleep(0.05)'));
  while (load.done < workers * 3) await sleep(10);
  before();
  await side.rotate();
  await meanwhile();
  const { done, failures } = await load.stop();
  return { done, failed: failures.length };
}

const outcomeOf = (settled: readonly PromiseSettledResult<unknown>[]): Outcome => ({
  done: settled.filter(({ status }) => status === 'fulfilled').length,
  failed: settled.filter(({ status }) => status === 'rejected').length,
});

function maker(server: PostgresServer, port: number): Bench['make'] {
  let roles = 0;
  return async (kind, config, clause = '') => {
    roles += 1;
    const user = `role_${port}_${roles}`;
    await server.query(`create role ${user} login password 'password-1' ${clause}`);
    const options = {
      host: server.host,
      port,
      database: server.database,
      user,
      idleTimeoutMillis: 60_000,
      ...config,
    };
    const source = memory({ password: 'password-1' });
    const store = await SecretStore.open({ secrets: { password: 'password' }, sources: [source] });
    const pool =
      kind === 'createPool'
        ? createPool(store, (s) => ({ ...options, password: s.reveal('password') }))
        : new pg.Pool({ ...options, password: 'password-1' });
    pool.on('error', () => {});
    // What an application does by hand for a plain pool.
    if (kind === 'pg.Pool') store.on('change', () => (pool.options.password = store.reveal('password')));
    return {
      pool,
      async rotate() {
        await server.query(`alter role ${user} password 'password-2'`);
        source.set({ password: 'password-2' });
        await store.refresh();
      },
      async end() {
        if (!pool.ended) await pool.end().catch(() => {});
        await store.close();
      },
    };
  };
}

/** Asks several processes, because the compiler optimises the same code slightly differently in each. */
async function queryCost(server: PostgresServer, size: Size) {
  const { host, port, database } = server;
  const password = 'password-1';
  await server.query(`create role query_cost login password '${password}'`);
  const options = JSON.stringify({ host, port, database, user: 'query_cost', password, max: 4 });
  const times = { ours: [] as number[], plain: [] as number[] };
  for (let started = 0; started < PROCESSES[size]; started += 1) {
    const args = [...process.execArgv, CHILD, options, String(ROUNDS_PER_PROCESS)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const found = JSON.parse(stdout) as typeof times;
    times.ours.push(...found.ours);
    times.plain.push(...found.plain);
  }
  return {
    ratio: medianRatio(times.ours, times.plain),
    details: {
      'processor time of a query with createPool µs': median(times.ours),
      'processor time of a query with pg.Pool µs': median(times.plain),
    },
  };
}
