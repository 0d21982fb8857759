import mysql from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy';
import {
  type MysqlHarness,
  type PoolHarness,
  poolHarness,
  startMysqlHarness,
} from '../support/mysql-harness';
import { hasMysqlServer } from '../support/mysql-programs';
import { waitFor } from '../support/wait-for';

const WORKERS = 12;
const LIMIT = 8;
const pause = (durationMs: number) => new Promise<void>((resolve) => setTimeout(resolve, durationMs));

/** Calls one after another, with the time of each failure. */
function startCalls(pool: Pick<mysql.Pool, 'query'>) {
  const failures: { readonly at: number; readonly error: unknown }[] = [];
  let [done, running] = [0, true];
  const workers = Array.from({ length: WORKERS }, async () => {
    while (running) {
      await pool.query('select sleep(0.003)').then(
        () => (done += 1),
        (error) => failures.push({ at: performance.now(), error }),
      );
      await pause(10);
    }
  });
  return {
    failures,
    get done() {
      return done;
    },
    async stop() {
      running = false;
      const hung = pause(10_000).then(() => 'hung' as const);
      return (await Promise.race([Promise.all(workers), hung])) === 'hung' ? 'hung' : 'settled';
    },
  };
}

/** A pool under load with a user of its own: ours, or a bare one whose application assigns each new login. */
interface Side extends PoolHarness {
  user: string;
  readonly calls: ReturnType<typeof startCalls>;
}

interface Day {
  readonly harness: MysqlHarness;
  readonly proxy: FaultyProxy;
  readonly sides: readonly Side[];
  /** Does something for both at the same time. */
  both(act: (side: Side) => Promise<unknown>): Promise<unknown>;
  /** Waits until more calls of both have succeeded. */
  working(): Promise<void>;
  /** Stops the server for a while, and does something meanwhile. */
  down(act: () => Promise<unknown>): Promise<void>;
}

/**
 * What happens, three times, each with a new password. Only `killed` sessions may fail the calls that they run; in an `outage`,
 * calls fail in both pools. While the server is down, it does not matter how many.
 */
const DAYS: Readonly<
  Record<string, { killed?: true; outage?: true; happens(day: Day, next: string): Promise<void> }>
> = {
  'a second user takes over and the first is dropped': {
    async happens({ harness, both, working }, next) {
      await both(async (side) => {
        const old = side.user;
        side.user = await harness.user(next);
        await side.mount.rotate({ user: side.user, password: next });
        await waitFor(() => side.secrets.reveal('user') === side.user);
        await harness.server.query(`drop user ${old}`);
      });
      await working();
    },
  },
  'the file is a second late': {
    async happens({ harness, both, working }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await pause(1_000);
      await both(({ mount }) => mount.rotate({ password: next }));
      await working();
    },
  },
  'the first new value is wrong': {
    async happens({ harness, both, working }, next) {
      await both(({ mount }) => mount.rotate({ password: `not-${next}` }));
      await pause(500);
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ mount }) => mount.rotate({ password: next }));
      await working();
    },
  },
  'the sessions are killed after the rotation': {
    killed: true,
    async happens({ harness, both, working }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ mount }) => mount.rotate({ password: next }));
      await both(({ user }) => harness.kill(user));
      await working();
    },
  },
  'the sessions are killed and the file is a second late': {
    killed: true,
    async happens({ harness, both, working }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ user }) => harness.kill(user));
      await pause(1_000);
      await both(({ mount }) => mount.rotate({ password: next }));
      await working();
    },
  },
  'logins take 400 ms and the sessions are killed': {
    killed: true,
    async happens({ harness, proxy, both, working }, next) {
      proxy.delayMs = 400;
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ user }) => harness.kill(user));
      await pause(500);
      await both(({ mount }) => mount.rotate({ password: next }));
      await working();
    },
  },
  'no login succeeds for a second after the rotation': {
    async happens({ harness, proxy, both, working }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ mount }) => mount.rotate({ password: next }));
      proxy.refuses = true;
      await pause(1_000);
      proxy.refuses = false;
      await working();
    },
  },
  'the user may have fewer connections than the pool': {
    outage: true,
    async happens({ harness, both, working }, next) {
      await both(({ user }) => harness.alter(user, 'with max_user_connections 5'));
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ mount }) => mount.rotate({ password: next }));
      // The server counts only connections that began under the limit.
      await both(({ user }) => harness.kill(user));
      await working();
      await both(({ user }) => harness.alter(user, 'with max_user_connections 0'));
    },
  },
  'the server restarts after the rotation': {
    outage: true,
    async happens({ harness, both, working, down }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await both(({ mount }) => mount.rotate({ password: next }));
      await down(() => pause(300));
      await working();
    },
  },
  'the server is down at the rotation': {
    outage: true,
    async happens({ harness, both, working, down }, next) {
      await both(({ user }) => harness.alter(user, `identified by '${next}'`));
      await down(async () => {
        await both(({ mount }) => mount.rotate({ password: next }));
        await pause(500);
      });
      await working();
    },
  },
};

describe.runIf(hasMysqlServer())('a pool of mysql2 and a bare one', () => {
  let harness: MysqlHarness;
  beforeAll(async () => {
    harness = await startMysqlHarness();
  });
  afterAll(() => harness.server.stop());

  for (const [what, { killed, outage, happens }] of Object.entries(DAYS)) {
    it(`fails no call that a bare pool does not fail when ${what}`, async () => {
      await using proxy = await startFaultyProxy(harness.server);
      const stage = async (kind: 'ours' | 'bare'): Promise<Side> => {
        const user = await harness.user('first');
        const made = await poolHarness(harness, user, 'first');
        const config = { port: proxy.port, connectionLimit: LIMIT };
        const pool = kind === 'ours' ? hotPool(made, config) : barePool(made, user, config);
        return { ...made, user, calls: startCalls(pool) };
      };
      const sides = [await stage('ours'), await stage('bare')] as const;
      const [ours, bare] = sides;
      const working = async () => {
        const reached = ours.calls.done + 100;
        await waitFor(() => ours.calls.done > reached, { timeoutMs: 20_000, what: 'more calls' });
      };
      const both = (act: (side: Side) => Promise<unknown>) => Promise.all(sides.map(act));
      const outages: { readonly from: number; readonly to: number }[] = [];
      const down = async (act: () => Promise<unknown>) => {
        const from = performance.now();
        await harness.server.shutDown();
        await act();
        await harness.server.start();
        outages.push({ from, to: performance.now() });
      };
      await working();
      for (const next of ['second', 'third', 'fourth']) {
        await happens({ harness, proxy, sides, both, working, down }, next);
        proxy.delayMs = 0;
      }
      const ended = await Promise.all(sides.map(({ calls }) => calls.stop()));
      expect.soft(ended[0]).toBe('settled');
      const isUp = ({ at }: { readonly at: number }) => !outages.some(({ from, to }) => at > from && at < to);
      const [own, theirs] = [ours.calls.failures.filter(isUp), bare.calls.failures.filter(isUp)];
      const told = `${own.length} of ours failed, ${theirs.length} of the bare pool: ${own[0]?.error}`;
      if (!outage) expect(own.length, told).toBeLessThanOrEqual(killed ? 3 * LIMIT : 0);
      else {
        // The calls of all workers may begin before the server is up again, and fail after it is.
        expect(own.length, told).toBeLessThanOrEqual(theirs.length + WORKERS);
      }
    });
  }

  function hotPool({ pool: make }: PoolHarness, config: mysql.PoolOptions) {
    const pool = make(config, { retryBaseMs: 50 });
    for (const name of ['rejected', 'refused'] as const) pool.rotation.on(name, () => {});
    return pool.promise();
  }

  function barePool({ secrets }: PoolHarness, user: string, config: mysql.PoolOptions): mysql.Pool {
    const { host, database } = harness.server;
    const pool = mysql.createPool({ host, database, user, password: 'first', ...config });
    const inner = pool.pool.config as unknown as { connectionConfig: { user: string; password: string } };
    secrets.on('change', () => {
      inner.connectionConfig.user = secrets.reveal('user');
      inner.connectionConfig.password = secrets.reveal('password');
    });
    onTestFinished(() => pool.end());
    return pool;
  }
});
