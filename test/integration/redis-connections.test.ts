import { inspect } from 'node:util';
import { memory, SecretStore } from 'hot-secrets';
import { type CreateRedisOptions, createCluster, createRedis } from 'hot-secrets/ioredis';
import {
  type ClientOptions,
  type CreateClientOptions,
  createClient,
  credentialsProvider,
} from 'hot-secrets/redis';
import { Redis, type RedisOptions } from 'ioredis';
import { createClientPool } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasServer } from '../support/debian-server';
import { startLoad } from '../support/load';
import { type RedisServer, startRedis } from '../support/redis';
import { type RedisHarness, RIGHTS, redisHarness } from '../support/redis-harness';
import { waitFor } from '../support/wait-for';

describe.runIf(hasServer('redis-server', 'redis-server'))('connections of Redis clients', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis({ open: true });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  function nodeRedis({ secrets }: RedisHarness, more: ClientOptions = {}, options: CreateClientOptions = {}) {
    const { host, port } = server;
    const client = createClient(
      secrets,
      (s) => ({
        socket: { host, port },
        username: s.reveal('user'),
        password: s.reveal('password'),
        ...more,
      }),
      { retryBaseMs: 50, ...options },
    );
    client.on('error', () => {});
    onTestFinished(() => client.destroy());
    return client;
  }

  function ioredis({ secrets }: RedisHarness, more: RedisOptions = {}, options: CreateRedisOptions = {}) {
    const { host, port } = server;
    const redis = createRedis(
      secrets,
      (s) => ({ host, port, username: s.reveal('user'), password: s.reveal('password'), ...more }),
      { retryBaseMs: 50, ...options },
    );
    redis.on('error', () => {});
    onTestFinished(() => redis.disconnect());
    return redis;
  }

  let next = 0;
  /** Makes another user and rotates to it. */
  async function rotate({ mount }: RedisHarness): Promise<string> {
    next += 1;
    const user = `next-${next}`;
    await server.user(user, 'on', `>of-${user}`, ...RIGHTS);
    await mount.rotate({ user, password: `of-${user}` });
    return user;
  }

  it('sends no AUTH into a transaction whose commands are sent one by one', async () => {
    const harness = await redisHarness(server);
    const client = nodeRedis(harness);
    await client.connect();
    const redis = ioredis(harness);
    await redis.ping();
    for (let round = 0; round < 3; round += 1) {
      await client.sendCommand(['MULTI']);
      await redis.multi({ pipeline: false });
      const queued = [client.sendCommand(['INCR', 'n']), client.sendCommand(['INCR', 'n'])];
      void redis.incr('m');
      const user = await rotate(harness);
      const isSwapped = () => [client, redis].every(({ rotation }) => rotation.generation === round + 2);
      await waitFor(isSwapped, { what: 'both to swap' });
      void redis.incr('m');
      expect(await Promise.all(queued)).toEqual(['QUEUED', 'QUEUED']);
      expect(await client.sendCommand(['EXEC'])).toEqual([2 * round + 1, 2 * round + 2]);
      expect(await redis.exec()).toEqual([
        [null, 2 * round + 1],
        [null, 2 * round + 2],
      ]);
      await waitFor(async () => (await client.aclWhoAmI()) === user && (await redis.acl('WHOAMI')) === user);
    }
  });

  it('sends AUTH again after a transaction that waited for its connection', async () => {
    const harness = await redisHarness(server);
    await harness.mount.rotate({ password: 'early' });
    await waitFor(() => harness.secrets.reveal('password') === 'early');
    const redis = ioredis(harness, { enableReadyCheck: false });
    const queued = [redis.multi({ pipeline: false }), redis.incr('waited'), redis.exec()];
    await waitFor(async () => (await server.command('acl', 'log')) !== '0', { what: 'a refused login' });
    await server.user(harness.user, '>early');
    expect((await Promise.all(queued)).at(-1)).toEqual([[null, 1]]);
    const user = await rotate(harness);
    await waitFor(async () => (await redis.acl('WHOAMI')) === user);
  });

  it('waits for the end of a blocking command, which succeeds, before it authenticates', async () => {
    const harness = await redisHarness(server);
    const client = nodeRedis(harness);
    await client.connect();
    const redis = ioredis(harness);
    await redis.ping();
    const worker = redis.duplicate({ maxRetriesPerRequest: null });
    onTestFinished(() => worker.disconnect());
    const blocked = [client.blPop('list of a', 0), worker.bzpopmin('set of b', 0)];
    await waitFor(async () => (await server.command('info', 'clients')).includes('blocked_clients:2'));
    let user = '';
    for (let round = 0; round < 3; round += 1) user = await rotate(harness);
    await waitFor(() => client.rotation.generation === 4 && redis.rotation.generation === 4);
    // The connection that is not blocked authenticates at once.
    await waitFor(async () => (await redis.acl('WHOAMI')) === user);
    expect([client.rotation.staleCount, redis.rotation.staleCount]).toEqual([1, 1]);
    await server.command('rpush', 'list of a', 'job');
    await server.command('zadd', 'set of b', '1', 'job');
    expect(await Promise.all(blocked)).toEqual([
      { key: 'list of a', element: 'job' },
      ['set of b', 'job', '1'],
    ]);
    await waitFor(() => client.rotation.staleCount === 0 && redis.rotation.staleCount === 0);
    expect([await client.aclWhoAmI(), await worker.acl('WHOAMI')]).toEqual([user, user]);
  });

  it('authenticates a subscriber of RESP3, and reconnects one of RESP2, which then still receives messages', async () => {
    const harness = await redisHarness(server);
    const received: string[] = [];
    for (const version of [2, 3] as const) {
      const client = nodeRedis(harness, { RESP: version });
      await client.connect();
      await client.subscribe('news', (message) => received.push(`node-redis ${version} ${message}`));
      const redis = ioredis(harness, { protocol: version } as RedisOptions);
      redis.on('message', (_, message) => received.push(`ioredis ${version} ${message}`));
      await redis.subscribe('news');
    }
    const ids = async (user: string) => {
      const list = (await server.command('client', 'list')).split('\n');
      const own = list.filter((line) => line.includes(` user=${user} `) && / sub=1 /.test(line));
      return own.map((line) => `${/ resp=(\d)/.exec(line)?.[1]} ${/^id=(\d+)/.exec(line)?.[1]}`).sort();
    };
    const before = (await waitFor(async () => {
      const found = await ids(harness.user);
      return found.length === 4 ? found : undefined;
    })) as string[];
    for (let round = 0; round < 3; round += 1) {
      const user = await rotate(harness);
      const now = (await waitFor(
        async () => {
          const found = await ids(user);
          return found.length === 4 ? found : undefined;
        },
        { what: 'four subscribers' },
      )) as string[];
      // Those of RESP3 keep their connections.
      expect(now.slice(2)).toEqual(before.slice(2));
      expect(now.slice(0, 2)).not.toEqual(before.slice(0, 2));
      received.length = 0;
      await server.command('publish', 'news', `${round}`);
      await waitFor(() => received.length === 4, { what: 'four messages' });
      expect(received.toSorted()).toEqual([
        `ioredis 2 ${round}`,
        `ioredis 3 ${round}`,
        `node-redis 2 ${round}`,
        `node-redis 3 ${round}`,
      ]);
    }
  });

  it('rejects a command that the user may not run at once, and sends no refusal', async () => {
    const harness = await redisHarness(server);
    await server.user(harness.user, '-flushall');
    const client = nodeRedis(harness);
    await client.connect();
    const redis = ioredis(harness);
    const refused: unknown[] = [];
    for (const { rotation } of [client, redis]) rotation.on('refused', (event) => refused.push(event));
    const started = performance.now();
    await expect(client.flushAll()).rejects.toThrow(/^NOPERM/);
    await expect(redis.flushall()).rejects.toThrow(/^NOPERM/);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(refused).toEqual([]);
    expect([await client.ping(), await redis.ping()]).toEqual(['PONG', 'PONG']);
  });

  it('rejects connect and commands with CREDENTIAL_REFUSED when the first credential is refused, and recovers', async () => {
    const harness = await redisHarness(server);
    await harness.mount.rotate({ password: 'hunter2-wrong' });
    await waitFor(() => harness.secrets.reveal('password') === 'hunter2-wrong');
    const client = nodeRedis(harness, {}, { authFailureWaitMs: 400 });
    const redis = ioredis(harness, { lazyConnect: true }, { authFailureWaitMs: 400 });
    const printed: string[] = [];
    redis.on('error', (error) => printed.push(inspect(error)));
    const error = expect.objectContaining({ code: 'CREDENTIAL_REFUSED' });
    const results = await Promise.allSettled([
      client.connect(),
      client.get('a'),
      redis.connect(),
      redis.get('a'),
    ]);
    expect(results).toEqual(Array.from({ length: 4 }, () => ({ status: 'rejected', reason: error })));
    for (const { rotation } of [client, redis]) printed.push(inspect(rotation, { depth: 9 }));
    printed.push(inspect(results, { depth: 9 }), inspect(redis, { depth: 9 }), inspect(client, { depth: 9 }));
    expect(printed.join('\n')).not.toContain('hunter2');
    await harness.mount.rotate({ password: 'first' });
    await waitFor(() => [client, redis].every(({ rotation }) => rotation.generation === 3));
    expect(await redis.ping()).toBe('PONG');
    await client.connect();
    expect(await client.ping()).toBe('PONG');
  });

  it('fails a command after authFailureWaitMs while the server refuses the credential, and runs it never', async () => {
    const harness = await redisHarness(server);
    const client = nodeRedis(harness, {}, { authFailureWaitMs: 500 });
    await client.connect();
    const redis = ioredis(harness, {}, { authFailureWaitMs: 500 });
    await redis.ping();
    await server.user(harness.user, 'resetpass', '>second');
    await server.kill(harness.user);
    await waitFor(async () => (await server.sessions(harness.user)) === 0);
    await expect(client.incr('never')).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    const results = await redis.pipeline().incr('never').incr('never').exec();
    expect(results?.map(([error]) => (error as { code?: string }).code)).toEqual([
      'CREDENTIAL_REFUSED',
      'CREDENTIAL_REFUSED',
    ]);
    await harness.mount.rotate({ password: 'second' });
    await waitFor(() => [client, redis].every(({ rotation }) => rotation.generation === 2));
    expect([await client.ping(), await redis.ping()]).toEqual(['PONG', 'PONG']);
    expect(await server.command('exists', 'never')).toBe('0');
  });

  it('connects as soon as a server starts that was down at first', async () => {
    const harness = await redisHarness(server);
    await server.halt();
    const client = nodeRedis(harness);
    const redis = ioredis(harness);
    const first = Promise.all([client.connect(), redis.incr('early')]);
    await harness.mount.rotate({ other: 'changed' });
    await server.resume();
    await first;
    expect(await client.get('early')).toBe('1');
  });

  it('follows with every duplicate, ends with the last, and connects no more', async () => {
    const harness = await redisHarness(server);
    const client = nodeRedis(harness);
    const redis = createRedis(harness.secrets, (s) => ({
      url: `redis://${s.reveal('user')}:${s.reveal('password')}@${server.host}:${server.port}`,
    }));
    const [copy, twin] = [client.duplicate(), redis.duplicate()];
    onTestFinished(() => twin.disconnect());
    await server.user('guest', 'on', '>of-guest', ...RIGHTS);
    const guest = redis.duplicate({ username: 'guest', password: 'of-guest' });
    onTestFinished(() => guest.disconnect());
    expect(redis).toBeInstanceOf(Redis);
    expect(twin).toBeInstanceOf(Redis);
    await Promise.all([client.connect(), copy.connect()]);
    const user = await rotate(harness);
    await waitFor(async () => (await copy.aclWhoAmI()) === user && (await twin.acl('WHOAMI')) === user);
    expect(await guest.acl('WHOAMI')).toBe('guest');
    await client.close();
    await redis.quit();
    const other = await rotate(harness);
    await waitFor(async () => (await copy.aclWhoAmI()) === other && (await twin.acl('WHOAMI')) === other);
    copy.destroy();
    twin.disconnect();
    await waitFor(() => twin.status === 'end');
    await expect(client.connect()).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
    await expect(twin.connect()).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
  });

  it('moves the connections of a cluster of ioredis, and waits for a late password when its sessions are killed', async () => {
    const { command, user: setUser, kill, sessions, host, port } = await startClusterNode();
    await setUser('first', 'on', '>of-first', ...RIGHTS);
    const mount = memory({ user: 'first', password: 'of-first' });
    const secrets = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [mount],
    });
    secrets.on('error', () => {});
    onTestFinished(() => secrets.close());
    const cluster = createCluster(
      secrets,
      (s) => ({ nodes: [{ host, port }], username: s.reveal('user'), password: s.reveal('password') }),
      { retryBaseMs: 50 },
    );
    onTestFinished(() => cluster.disconnect());
    cluster.on('error', () => {});
    const received: string[] = [];
    cluster.on('message', (_, message) => received.push(message));
    await cluster.subscribe('news');
    const load = startLoad(5, () => cluster.incr('n'));
    for (const name of ['second', 'third', 'fourth']) {
      await setUser(name, 'on', `>of-${name}`, ...RIGHTS);
      mount.set({ user: name, password: `of-${name}` });
      await secrets.refresh();
      await waitFor(async () => (await sessions(name)) > 0, { what: `sessions of ${name}` });
    }
    await setUser('fourth', 'resetpass', '>late');
    await kill('fourth');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    mount.set({ password: 'late' });
    await secrets.refresh();
    const before = load.done;
    await waitFor(() => load.done > before + 50);
    expect(await load.stop()).toMatchObject({ failures: [] });
    expect(inspect(cluster, { depth: 9 })).not.toContain('of-');
    await waitFor(async () => {
      await command('publish', 'news', 'hello');
      return received.length > 0;
    });
  });

  async function startClusterNode(): Promise<RedisServer> {
    const node = await startRedis({ open: true, cluster: true });
    onTestFinished(() => node[Symbol.asyncDispose]());
    await node.command('cluster', 'addslotsrange', '0', '16383');
    await waitFor(async () => (await node.command('cluster', 'info')).includes('cluster_state:ok'));
    return node;
  }

  it('moves every connection of a pool of node-redis that has the credentials provider', async () => {
    const harness = await redisHarness(server);
    const { host, port } = server;
    const provider = credentialsProvider(
      harness.secrets,
      (s) => ({ socket: { host, port }, username: s.reveal('user'), password: s.reveal('password') }),
      { retryBaseMs: 50 },
    );
    const pool = createClientPool({ socket: { host, port }, credentialsProvider: provider }, { minimum: 4 });
    pool.on('error', () => {});
    await pool.connect();
    onTestFinished(() => pool.destroy());
    for (let round = 0; round < 3; round += 1) {
      const user = await rotate(harness);
      await waitFor(async () => (await server.sessions(user)) === 4, { what: 'four sessions' });
    }
    // The server changes before the file.
    await server.user(harness.secrets.reveal('user'), 'resetpass', '>late');
    await server.kill(harness.secrets.reveal('user'));
    const late = pool.incr('late');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await harness.mount.rotate({ password: 'late' });
    expect(await late).toBe(1);
    await provider.close();
  });
});
