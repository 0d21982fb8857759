import { memory, SecretStore } from 'hot-secrets';
import { createCluster as createIoredisCluster } from 'hot-secrets/ioredis';
import { credentialsProvider } from 'hot-secrets/redis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hasServer } from '../support/debian-server';
import { startLoad } from '../support/load';
import { type RedisServer, startRedisCluster } from '../support/redis';
import { RIGHTS } from '../support/redis-harness';
import { waitFor } from '../support/wait-for';

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

describe.runIf(hasServer('redis-server', 'redis-server'))('a cluster of three primaries', () => {
  let nodes: readonly RedisServer[] = [];
  beforeAll(async () => {
    nodes = await startRedisCluster();
  }, 60_000);
  afterAll(() => Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())));

  const setUser = async (name: string, ...rules: string[]) => {
    for (const node of nodes) await node.user(name, ...rules);
  };
  const kill = async (name: string) => {
    for (const node of nodes) await node.kill(name);
  };
  const sessions = async (name: string) => {
    let total = 0;
    for (const node of nodes) total += await node.sessions(name);
    return total;
  };

  async function openLogins(user: string, password = `of-${user}`) {
    await setUser(user, 'on', `>of-${user}`, ...RIGHTS);
    const source = memory({ user, password });
    const secrets = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [source],
    });
    secrets.on('error', () => {});
    onTestFinished(() => secrets.close());
    const mount = async (next: { user?: string; password: string }) => {
      source.set(next);
      await secrets.refresh();
    };
    return { secrets, mount };
  }

  type Logins = Awaited<ReturnType<typeof openLogins>>;

  function nodeRedis({ secrets }: Logins, authFailureWaitMs?: number) {
    const rootNodes = nodes.map(({ host, port }) => ({ socket: { host, port } }));
    const provider = credentialsProvider(
      secrets,
      (s) => ({ rootNodes, username: s.reveal('user'), password: s.reveal('password') }),
      { retryBaseMs: 50, authFailureWaitMs },
    );
    onTestFinished(() => provider.close());
    const cluster = createCluster({ rootNodes, defaults: { credentialsProvider: provider } });
    cluster.on('error', () => {});
    return Object.assign(cluster, { provider });
  }

  function ioredis({ secrets }: Logins, protocol: 2 | 3 = 3, authFailureWaitMs?: number) {
    const cluster = createIoredisCluster(
      secrets,
      (s) => ({
        nodes: nodes.map(({ host, port }) => ({ host, port })),
        redisOptions: { protocol } as object,
        username: s.reveal('user'),
        password: s.reveal('password'),
      }),
      { retryBaseMs: 50, authFailureWaitMs },
    );
    cluster.on('error', () => {});
    onTestFinished(() => cluster.disconnect());
    return cluster;
  }

  it('fails no command of either client while users alternate and a password changes late', async () => {
    const logins = await openLogins('first');
    const cluster = nodeRedis(logins);
    await cluster.connect();
    onTestFinished(() => cluster.destroy());
    const shards = ioredis(logins);
    const copy = shards.duplicate();
    copy.on('error', () => {});
    onTestFinished(() => copy.disconnect());
    let keys = 0;
    const key = () => `key-${keys++ % 100}`;
    const loads = [
      startLoad(5, () => cluster.incr(key())),
      startLoad(5, () => shards.incr(key())),
      startLoad(5, () => copy.incr(key())),
    ];
    const working = async () => {
      const before = loads.map(({ done }) => done);
      await waitFor(() => loads.every(({ done }, n) => done > (before[n] as number) + 100), {
        timeoutMs: 20_000,
        what: 'more commands',
      });
    };
    await working();
    let old = 'first';
    for (const user of ['second', 'third', 'fourth']) {
      await setUser(user, 'on', `>of-${user}`, ...RIGHTS);
      await logins.mount({ user, password: `of-${user}` });
      await working();
      await waitFor(async () => (await sessions(old)) === 0, { what: `no session of ${old}` });
      for (const node of nodes) await node.command('acl', 'deluser', old);
      old = user;
    }
    await setUser(old, 'resetpass', '>late');
    await pause(1_000);
    await logins.mount({ password: 'late' });
    await working();
    const results = await Promise.all(loads.map((load) => load.stop()));
    expect(results.map(({ failures }) => failures.slice(0, 3))).toEqual([[], [], []]);
    // A copy follows as long as it is open.
    shards.disconnect();
    await setUser('last', 'on', '>of-last', ...RIGHTS);
    await logins.mount({ user: 'last', password: 'of-last' });
    await waitFor(async () => (await copy.call('ACL', 'WHOAMI')) === 'last', { what: 'the copy to move' });
  }, 60_000);

  it('fails in a cluster of node-redis only what was under way when its sessions are killed, as a bare one does', async () => {
    const logins = await openLogins('killed');
    const cluster = nodeRedis(logins);
    await cluster.connect();
    onTestFinished(() => cluster.destroy());
    const load = startLoad(5, () => cluster.incr('n'));
    await waitFor(() => load.done > 50);
    await setUser('killed', 'resetpass', '>second');
    await logins.mount({ password: 'second' });
    await kill('killed');
    const before = load.done;
    await waitFor(() => load.done > before + 100, { what: 'more commands' });
    const { failures } = await load.stop();
    expect(failures.filter((error) => !/closed|ECONNRESET|EPIPE/.test(String(error)))).toEqual([]);
    expect(failures.length).toBeLessThanOrEqual(5);
  });

  it.each([2, 3] as const)(
    'moves the subscriber of a cluster of ioredis with RESP%i, which then still receives messages',
    async (protocol) => {
      const logins = await openLogins(`subscriber-${protocol}`);
      const cluster = ioredis(logins, protocol);
      const received = new Set<string>();
      cluster.on('message', (_, message) => received.add(message));
      await cluster.subscribe('news');
      for (let round = 0; round < 3; round += 1) {
        const user = `next-${protocol}-${round}`;
        const old = logins.secrets.reveal('user');
        await setUser(user, 'on', `>of-${user}`, ...RIGHTS);
        await logins.mount({ user, password: `of-${user}` });
        await waitFor(async () => (await sessions(old)) === 0, { what: `no session of ${old}` });
        await waitFor(
          async () => {
            await nodes[0]?.command('publish', 'news', user);
            return received.has(user);
          },
          { what: 'a message' },
        );
      }
    },
    30_000,
  );

  it('rejects with CREDENTIAL_REFUSED when the first credential is refused, and works with the next one', async () => {
    const logins = await openLogins('refused', 'hunter2');
    const shards = ioredis(logins, 3, 300);
    const cluster = nodeRedis(logins, 300);
    const errors: unknown[] = [];
    cluster.provider.rotation.on('refused', ({ error }) => errors.push(error.code));
    const connected = cluster.connect().then(
      () => 'connected',
      (error: { code?: string; message: string }) => error.code ?? error.message,
    );
    await expect(shards.get('a')).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    await waitFor(() => errors.length > 0, { what: 'a refusal' });
    expect(errors).toEqual(['CREDENTIAL_REFUSED']);
    await logins.mount({ password: 'of-refused' });
    expect(await shards.set('a', '1')).toBe('OK');
    expect(await connected).toBe('connected');
    onTestFinished(() => cluster.destroy());
    expect(await cluster.get('a')).toBe('1');
  }, 30_000);
});
