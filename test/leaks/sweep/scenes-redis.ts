import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { memory, SecretStore } from 'hot-secrets';
import { createCluster, createRedis } from 'hot-secrets/ioredis';
import { createClient, credentialsProvider } from 'hot-secrets/redis';
import type { Outputs } from './outputs';
import { listeners } from './stage';
import { marks } from './values';

const EVENTS = ['swapped', 'rejected', 'drained', 'error', 'refused', 'accepted'] as const;
const QUICK = { verifyTimeoutMs: 100, authFailureWaitMs: 50, retryBaseMs: 5, retryMaxMs: 20 };
const pause = () => new Promise((resolve) => setTimeout(resolve, 150));

/** What a server answers to everything. */
const ANSWERS = {
  'refuses every login': '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
  'accepts everything': '+OK\r\n',
  'answers nonsense': '?\r\n',
};

/** Redis clients whose server answers the same to everything. */
export async function redisScenes(outputs: Outputs): Promise<void> {
  for (const [what, answer] of Object.entries(ANSWERS)) {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        const commands = data.toString('latin1').split(/^\*/m).length - 1;
        socket.write(answer.repeat(Math.max(1, commands)));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    outputs.scene(`Redis clients of a server that ${what}`);
    const source = memory({ one: marks.text.value });
    const store = await SecretStore.open({
      secrets: { one: 'one' },
      sources: [source],
      on: listeners(outputs) as never,
    });
    const client = createClient(
      store,
      (s) => ({ url: `redis://app:${encodeURIComponent(s.reveal('one'))}@127.0.0.1:${port}`, RESP: 2 }),
      QUICK,
    );
    const redis = createRedis(
      store,
      (s) => ({ port, protocol: 2, username: 'app', password: s.reveal('one') }),
      QUICK,
    );
    const provider = credentialsProvider(
      store,
      (s) => ({ socket: { port }, password: s.reveal('one') }),
      QUICK,
    );
    const cluster = createCluster(
      store,
      (s) => ({ nodes: [{ port }], redisOptions: { protocol: 2 }, password: s.reveal('one') }),
      QUICK,
    );
    for (const { rotation } of [client, redis, provider, cluster]) {
      for (const event of EVENTS) {
        rotation.on(event as 'rejected', (payload: unknown) => outputs.show(`event ${event}`, payload));
      }
    }
    client.on('error', (error: unknown) => outputs.error('error event of node-redis', error));
    redis.on('error', (error: unknown) => outputs.error('error event of ioredis', error));
    cluster.on('error', (error: unknown) => outputs.error('error event of a cluster', error));
    cluster.get('a').catch((error: unknown) => outputs.error('error of a command of a cluster', error));
    client.connect().catch((error: unknown) => outputs.error('error of connect()', error));
    redis.get('a').catch((error: unknown) => outputs.error('error of a command', error));
    for (const value of [marks.nextText.value, marks.text.value]) {
      await pause();
      outputs.showClient('client of node-redis', client);
      outputs.showClient('client of ioredis', redis);
      outputs.showClient('options of ioredis', redis.options);
      outputs.show('credentials provider', provider);
      outputs.showClient('cluster of ioredis', cluster);
      source.set({ one: value });
      await store.refresh();
    }
    await pause();
    client.destroy();
    redis.disconnect();
    cluster.disconnect();
    await provider.close();
    await store.close();
    server.close();
  }
}
