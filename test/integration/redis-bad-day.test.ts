import { type CreateRedisOptions, createRedis } from 'hot-secrets/ioredis';
import { type CreateClientOptions, createClient } from 'hot-secrets/redis';
import { Redis } from 'ioredis';
import { createClient as createBareClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasServer } from '../support/debian-server';
import { startLoad } from '../support/load';
import { type RedisServer, startRedis } from '../support/redis';
import { type RedisHarness, RIGHTS, redisHarness } from '../support/redis-harness';
import { type SlowProxy, startSlowProxy } from '../support/slow-login-proxy';
import { waitFor } from '../support/wait-for';

/** What the tests need of either client. */
interface Client {
  connect(): Promise<unknown>;
  incr(key: string): Promise<unknown>;
  get(key: string): Promise<unknown>;
  whoAmI(): Promise<unknown>;
  end(): void;
}

interface Place {
  readonly host: string;
  readonly port: number;
}

type Options = CreateClientOptions & CreateRedisOptions;

const CLIENTS = {
  'node-redis': {
    hot: ({ secrets }: RedisHarness, { host, port }: Place, options: Options): Client => {
      const client = createClient(
        secrets,
        (s) => ({ socket: { host, port }, username: s.reveal('user'), password: s.reveal('password') }),
        { resend: 'all', ...options },
      );
      client.on('error', () => {});
      return {
        connect: () => client.connect(),
        incr: (key) => client.incr(key),
        get: (key) => client.get(key),
        whoAmI: () => client.aclWhoAmI(),
        end: () => client.destroy(),
      };
    },
    bare: ({ secrets }: RedisHarness, { host, port }: Place): Client => {
      const client = createBareClient({
        socket: { host, port },
        credentialsProvider: {
          type: 'async-credentials-provider',
          credentials: async () => ({
            username: secrets.reveal('user'),
            password: secrets.reveal('password'),
          }),
        },
      });
      client.on('error', () => {});
      return {
        connect: () => client.connect(),
        incr: (key) => client.incr(key),
        get: (key) => client.get(key),
        whoAmI: () => client.aclWhoAmI(),
        end: () => client.destroy(),
      };
    },
  },
  ioredis: {
    hot: ({ secrets }: RedisHarness, { host, port }: Place, { resend: _, ...options }: Options): Client =>
      ofIoredis(
        createRedis(
          secrets,
          (s) => ({
            host,
            port,
            lazyConnect: true,
            username: s.reveal('user'),
            password: s.reveal('password'),
          }),
          options,
        ),
      ),
    bare: ({ secrets }: RedisHarness, { host, port }: Place): Client => {
      const redis = new Redis({
        host,
        port,
        lazyConnect: true,
        username: secrets.reveal('user'),
        password: secrets.reveal('password'),
      });
      secrets.on('change', () => {
        redis.options.username = secrets.reveal('user');
        redis.options.password = secrets.reveal('password');
      });
      return ofIoredis(redis);
    },
  },
};

function ofIoredis(redis: Redis): Client {
  redis.on('error', () => {});
  return {
    connect: () => redis.connect(),
    incr: (key) => redis.incr(key),
    get: (key) => redis.get(key),
    whoAmI: () => redis.acl('WHOAMI'),
    end: () => redis.disconnect(),
  };
}

interface Day extends RedisHarness {
  readonly server: RedisServer;
  readonly proxy: SlowProxy;
  /** Waits until more commands of every client have succeeded. */
  working(): Promise<void>;
}

/** What happens, three times, each with a new password. */
const DAYS: Readonly<Record<string, (day: Day, password: string) => Promise<void>>> = {
  async 'a second user takes over and the first is deleted'({ server, mount, secrets, working }, password) {
    const [old, user] = [secrets.reveal('user'), `user-of-${password}`];
    await server.user(user, 'on', `>${password}`, ...RIGHTS);
    await mount.rotate({ user, password });
    await working();
    await waitFor(async () => (await server.sessions(old)) <= 2, {
      what: 'sessions of the bare clients only',
    });
    await server.command('acl', 'deluser', old);
  },
  async 'the file is two seconds late'({ server, user, mount, working }, password) {
    await server.user(user, 'resetpass', `>${password}`);
    await pause(2_000);
    await mount.rotate({ password });
    await working();
  },
  async 'the first new value is wrong'({ server, user, mount, working }, password) {
    await mount.rotate({ password: `not-${password}` });
    await pause(500);
    await server.user(user, `>${password}`);
    await mount.rotate({ password });
    await working();
  },
  async 'the sessions are killed after the rotation'({ server, user, mount, working }, password) {
    await server.user(user, 'resetpass', `>${password}`);
    await mount.rotate({ password });
    await server.kill(user);
    await working();
  },
  async 'the sessions are killed and the file is two seconds late'(
    { server, user, mount, working },
    password,
  ) {
    await server.user(user, 'resetpass', `>${password}`);
    await server.kill(user);
    await pause(2_000);
    await mount.rotate({ password });
    await working();
  },
  async 'the user is reset and the file is a second late'({ server, user, mount, working }, password) {
    await server.user(user, 'reset');
    await server.user(user, 'on', `>${password}`, ...RIGHTS);
    await pause(1_000);
    await mount.rotate({ password });
    await working();
  },
  async 'the server restarts after the rotation'({ server, user, mount, working }, password) {
    await server.user(user, 'resetpass', `>${password}`);
    await mount.rotate({ password });
    await server.halt();
    await pause(300);
    await server.resume();
    await working();
  },
  async 'the server is down at the rotation'({ server, user, mount, working }, password) {
    await server.user(user, 'resetpass', `>${password}`);
    await server.halt();
    await mount.rotate({ password });
    await pause(500);
    await server.resume();
    await working();
  },
  async 'logins take 400 ms and the sessions are killed'({ server, proxy, user, mount, working }, password) {
    proxy.delayMs = 400;
    await server.user(user, 'resetpass', `>${password}`);
    await server.kill(user);
    await pause(500);
    await mount.rotate({ password });
    await working();
  },
};

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

describe.runIf(hasServer('redis-server', 'redis-server'))('on a bad day', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ open: true });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  for (const [what, happens] of Object.entries(DAYS)) {
    it(`fails no command, runs none as another user, and is no worse than a bare client when ${what}`, async () => {
      const harness = await redisHarness(server);
      const proxy = await startSlowProxy(server);
      onTestFinished(() => proxy[Symbol.asyncDispose]());
      const start = async (client: Client) => {
        const seen = new Set<unknown>();
        onTestFinished(() => client.end());
        await client.connect();
        const load = startLoad(20, async () => {
          await client.incr(`counter of ${harness.user}`);
          seen.add(await client.whoAmI());
        });
        return { seen, load };
      };
      const runs = await Promise.all(
        Object.entries(CLIENTS).map(async ([kind, { hot, bare }]) => ({
          kind,
          ours: await start(hot(harness, proxy, { retryBaseMs: 50 })),
          theirs: await start(bare(harness, proxy)),
        })),
      );
      const working = async () => {
        const before = runs.map(({ ours }) => ours.load.done);
        const isWorking = () => runs.every(({ ours }, n) => ours.load.done > (before[n] as number) + 200);
        await waitFor(isWorking, { timeoutMs: 20_000, what: 'more commands' });
      };
      const users = [harness.user];
      for (const password of ['second', 'third', 'fourth']) {
        const value = `${password}-of-${harness.user}`;
        users.push(`user-of-${value}`);
        await happens({ ...harness, server, proxy, working }, value);
      }
      for (const { kind, ours, theirs } of runs) {
        const { failures } = await ours.load.stop();
        // A bare client may hang.
        const bare = await Promise.race([theirs.load.stop(), pause(500).then(() => undefined)]);
        expect
          .soft(failures.slice(0, 3), `${kind}, where a bare one fails ${bare?.failures.length}`)
          .toEqual([]);
        expect.soft(users, kind).toEqual(expect.arrayContaining([...ours.seen]));
      }
    });
  }
});
