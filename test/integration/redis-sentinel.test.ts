import { inspect } from 'node:util';
import { memory, SecretStore } from 'hot-secrets';
import { createRedis } from 'hot-secrets/ioredis';
import { credentialsProvider } from 'hot-secrets/redis';
import { Redis } from 'ioredis';
import { createSentinel } from 'redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hasServer } from '../support/debian-server';
import { startLoad } from '../support/load';
import { startSentinel } from '../support/redis';
import { RIGHTS } from '../support/redis-harness';
import { waitFor } from '../support/wait-for';

/** Four clients behind one sentinel: two that follow a rotating password, and two with a password that stays. */
async function startSentinelClients() {
  const stage = await startSentinel();
  onTestFinished(() => stage[Symbol.asyncDispose]());
  const { nodes, sentinel } = stage;
  const onEach = async (work: (node: (typeof nodes)[number]) => Promise<unknown>) => {
    for (const node of nodes) if (!stage.isDown(node)) await work(node);
  };
  const users = { app: 'first', fixed: 'fixed' };
  for (const [user, password] of Object.entries(users)) {
    await onEach((node) => node.user(user, 'on', `>${password}`, ...RIGHTS));
  }
  await stage.ask('acl', 'setuser', 'watcher', 'on', '>first', ...RIGHTS);
  const source = memory({ user: 'app', password: 'first', sentinelPassword: 'first' });
  const secrets = await SecretStore.open({
    secrets: { user: 'user', password: 'password', sentinelPassword: 'sentinelPassword' },
    sources: [source],
  });
  secrets.on('error', () => {});
  onTestFinished(() => secrets.close());

  const { host, port, password } = sentinel;
  const common = {
    name: 'main',
    sentinelRootNodes: [{ host, port }],
    sentinelClientOptions: { password },
  };
  const credentials = credentialsProvider(
    secrets,
    (s) => ({
      rootNodes: nodes.map((node) => ({ socket: { host: node.host, port: node.port } })),
      username: s.reveal('user'),
      password: s.reveal('password'),
    }),
    { retryBaseMs: 50 },
  );
  onTestFinished(() => credentials.close());
  const ofSentinels = credentialsProvider(
    secrets,
    (s) => ({ socket: { host, port }, username: 'watcher', password: s.reveal('sentinelPassword') }),
    { name: 'sentinels', retryBaseMs: 50 },
  );
  onTestFinished(() => ofSentinels.close());
  const hotNode = createSentinel({
    ...common,
    sentinelClientOptions: { credentialsProvider: ofSentinels },
    nodeClientOptions: { credentialsProvider: credentials },
  });
  const bareNode = createSentinel({ ...common, nodeClientOptions: { username: 'fixed', password: 'fixed' } });
  for (const client of [hotNode, bareNode]) {
    client.on('error', () => {});
    onTestFinished(() => client.destroy());
    await client.connect();
  }
  const ofSentinel = { sentinels: [{ host, port }], name: 'main', sentinelPassword: password };
  const hotIo = createRedis(
    secrets,
    (s) => ({
      sentinels: [{ host, port }],
      name: 'main',
      sentinelUsername: 'watcher',
      sentinelPassword: s.reveal('sentinelPassword'),
      username: s.reveal('user'),
      password: s.reveal('password'),
    }),
    { retryBaseMs: 50 },
  );
  const bareIo = new Redis({ ...ofSentinel, username: 'fixed', password: 'fixed' });
  for (const client of [hotIo, bareIo]) {
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
  }
  const loads = {
    'node-redis': startLoad(5, () => hotNode.incr('a')),
    'bare node-redis': startLoad(5, () => bareNode.incr('b')),
    ioredis: startLoad(5, () => hotIo.incr('c')),
    'bare ioredis': startLoad(5, () => bareIo.incr('d')),
  };
  return {
    ...stage,
    secrets,
    hotIo,
    /** Gives the clients another password of the sentinel, and ends the sessions that logged in with the old one. */
    async changeSentinel(next: string) {
      await stage.ask('acl', 'setuser', 'watcher', 'resetpass', `>${next}`);
      source.set({ sentinelPassword: next });
      await secrets.refresh();
      await stage.ask('client', 'kill', 'user', 'watcher').catch(() => {});
    },
    /** Removes the old password, and ends the sessions that logged in with it. */
    async change(next: string) {
      await onEach((node) => node.user('app', 'resetpass', `>${next}`));
      await onEach((node) => node.kill('app'));
    },
    async mount(next: string) {
      source.set({ password: next });
      await secrets.refresh();
    },
    async working() {
      const all = Object.values(loads);
      const before = all.map(({ done }) => done);
      await waitFor(() => all.every(({ done }, n) => done > (before[n] as number) + 50), {
        timeoutMs: 40_000,
        what: 'more commands of each client',
      });
    },
    async failures(): Promise<Record<string, readonly unknown[]>> {
      const all = Object.entries(loads);
      const results = await Promise.all(all.map(([, load]) => load.stop()));
      return Object.fromEntries(all.map(([name], n) => [name, results[n]?.failures ?? []]));
    },
  };
}

describe.runIf(hasServer('redis-server', 'redis-server'))('behind a sentinel', () => {
  it('fails no command that a client with a fixed password would not fail while passwords rotate and the primary changes', async () => {
    const clients = await startSentinelClients();
    await clients.working();
    await clients.change('second');
    await clients.mount('second');
    await clients.changeSentinel('second');
    await clients.working();
    await clients.failover();
    await clients.working();
    // The file is late, and the primary changes in the meantime.
    await clients.change('third');
    const failing = clients.failover();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await clients.mount('third');
    await failing;
    await clients.working();
    expect(inspect(clients.hotIo.options, { customInspect: false })).not.toMatch(/second|third/);
    const failures = await clients.failures();
    for (const name of ['node-redis', 'ioredis']) {
      const [ours, bare] = [failures[name] ?? [], failures[`bare ${name}`] ?? []];
      expect.soft(ours.slice(bare.length), name).toEqual([]);
    }
  }, 120_000);

  it('rotates while one of the servers is down', async () => {
    const clients = await startSentinelClients();
    await clients.failover();
    // Now the replica, which is the first of `rootNodes`.
    await clients.halt(clients.nodes[0]);
    await clients.change('second');
    await clients.mount('second');
    await clients.working();
    const { 'node-redis': node, ioredis } = await clients.failures();
    expect([node, ioredis]).toEqual([[], []]);
  }, 120_000);
});
