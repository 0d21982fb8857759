import { mountedFiles, SecretStore } from 'hot-secrets';
import { createRedis } from 'hot-secrets/ioredis';
import { createClient } from 'hot-secrets/redis';
import { Redis } from 'ioredis';
import { createClient as createNodeRedis } from 'redis';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The part of the service that this demo compares: how it runs a command, and what happens on a rotation. */
export interface Service {
  increment(): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts the service. It calls `tell` with each line that a real service would log. */
export type StartService = (
  secrets: RedisSecrets,
  address: Address,
  tell: (line: string) => void,
) => Promise<Service>;

export type RedisSecrets = SecretStore<{ readonly user: string; readonly password: string }>;

export function openSecrets(mountPath: string): Promise<RedisSecrets> {
  return SecretStore.open({
    secrets: { user: 'redis-user', password: 'redis-password' },
    sources: [mountedFiles(mountPath)],
  });
}

const KEY = 'counter';

/** The variants. Each naive one is written as it often is: on a change, it makes a new client and closes the old one. */
export const services = {
  'node-redis': {
    async hotSecrets(secrets, { host, port }, tell) {
      const client = createClient(
        secrets,
        (s) => ({ socket: { host, port }, username: s.reveal('user'), password: s.reveal('password') }),
        { resend: 'all' },
      );
      client.on('error', () => {});
      logRotation(client.rotation, tell);
      await client.connect();
      return { increment: () => client.incr(KEY), close: () => client.close() };
    },
    async naive(secrets, { host, port }) {
      const connect = () => {
        const { user: username, password } = {
          user: secrets.reveal('user'),
          password: secrets.reveal('password'),
        };
        const client = createNodeRedis({ socket: { host, port }, username, password });
        client.on('error', () => {});
        void client.connect().catch(() => {});
        return client;
      };
      let client = connect();
      // One that cannot log in would never end by itself, and keep the demo alive.
      const all = [client];
      secrets.on('change', () => {
        const old = client;
        client = connect();
        all.push(client);
        old.close().catch(() => {});
      });
      return {
        increment: () => client.incr(KEY),
        async close() {
          for (const one of all) one.destroy();
        },
      };
    },
  },
  ioredis: {
    async hotSecrets(secrets, { host, port }, tell) {
      const redis = createRedis(secrets, (s) => ({
        host,
        port,
        username: s.reveal('user'),
        password: s.reveal('password'),
      }));
      redis.on('error', () => {});
      logRotation(redis.rotation, tell);
      return { increment: () => redis.incr(KEY), close: async () => redis.disconnect() };
    },
    async naive(secrets, { host, port }) {
      const connect = () => {
        const { user: username, password } = {
          user: secrets.reveal('user'),
          password: secrets.reveal('password'),
        };
        return new Redis({ host, port, username, password }).on('error', () => {});
      };
      let redis = connect();
      const all = [redis];
      secrets.on('change', () => {
        const old = redis;
        redis = connect();
        all.push(redis);
        old.quit().catch(() => {});
      });
      return {
        increment: () => redis.incr(KEY),
        async close() {
          for (const one of all) one.disconnect();
        },
      };
    },
  },
} satisfies Readonly<Record<string, Readonly<Record<'hotSecrets' | 'naive', StartService>>>>;

export type Library = keyof typeof services;

function logRotation(
  rotation: ReturnType<typeof createRedis>['rotation'],
  tell: (line: string) => void,
): void {
  rotation.on('refused', () => tell('Redis refuses the current password: commands wait'));
  rotation.on('accepted', ({ waitedMs }) => tell(`logins work again after ${Math.round(waitedMs)} ms`));
  rotation.on('rejected', ({ error }) =>
    tell(`the new password does not work (${error.code}) and is not used`),
  );
}
