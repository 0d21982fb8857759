import type { SecretStore } from 'hot-secrets';
import { createCluster, createRedis, type HotCluster, type HotRedis } from 'hot-secrets/ioredis';
import { createClient, credentialsProvider, type HotClient } from 'hot-secrets/redis';
import * as ioredis from 'ioredis';
import * as redis from 'redis';
import { expectTypeOf, test } from 'vitest';

declare const secrets: SecretStore<{ readonly user: string; readonly password: string }>;

test('gives the recipe of createClient the types of the store, and returns a client of node-redis', () => {
  const make = () =>
    createClient(
      secrets,
      (s) => ({ url: 'redis://cache', username: s.reveal('user'), password: s.reveal('password'), RESP: 2 }),
      { redis, resend: 'all', authFailureWaitMs: 1 },
    );
  expectTypeOf(make).returns.toEqualTypeOf<HotClient>();
  const use = async (client: HotClient) => {
    expectTypeOf(client.get('key')).resolves.toEqualTypeOf<string | null>();
    client.rotation.on('refused', ({ waiting }) => waiting.toFixed());
    expectTypeOf(client.rotation.staleCount).toEqualTypeOf<number>();
  };
  expectTypeOf(use).returns.toEqualTypeOf<Promise<void>>();
  // @ts-expect-error A name that the store does not have.
  () => createClient(secrets, (s) => ({ password: s.reveal('pasword') }));
  // @ts-expect-error A promise is no configuration.
  () => createClient(secrets, async (s) => ({ password: s.reveal('password') }));
  // @ts-expect-error No such choice.
  () => createClient(secrets, (s) => ({ password: s.reveal('password') }), { resend: 'some' });
});

test('gives every client of node-redis the provider', () => {
  const provide = () =>
    credentialsProvider(secrets, (s) => ({ url: 'redis://a', password: s.reveal('password') }));
  const make = () => [
    redis.createClient({ credentialsProvider: provide() }),
    redis.createClientPool({ credentialsProvider: provide() }),
    redis.createCluster({ rootNodes: [], defaults: { credentialsProvider: provide() } }),
  ];
  expectTypeOf(make).not.toBeAny();
});

test('gives the recipe of createRedis the types of the store, and returns a Redis', () => {
  const make = () =>
    createRedis(
      secrets,
      (s) => ({ host: 'cache', username: s.reveal('user'), password: s.reveal('password') }),
      { ioredis, drainTimeoutMs: 5 },
    );
  expectTypeOf(make).returns.toEqualTypeOf<HotRedis>();
  expectTypeOf<HotRedis>().toExtend<ioredis.Redis>();
  // @ts-expect-error A port is a number.
  () => createRedis(secrets, (s) => ({ port: s.reveal('password') }));
  const cluster = () =>
    createCluster(secrets, (s) => ({ nodes: [{ host: 'cache' }], password: s.reveal('password') }), {
      ioredis,
    });
  expectTypeOf(cluster).returns.toEqualTypeOf<HotCluster>();
  expectTypeOf<HotCluster>().toExtend<ioredis.Cluster>();
  // @ts-expect-error A cluster starts with its nodes.
  () => createCluster(secrets, (s) => ({ password: s.reveal('password') }));
  // @ts-expect-error A misspelt option.
  () => createRedis(secrets, (s) => ({ password: s.reveal('password') }), { drainTimeout: 1 });
});
