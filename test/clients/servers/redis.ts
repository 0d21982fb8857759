import { startRedis } from '../../support/redis';
import { RIGHTS } from '../../support/redis-rights';
import type { Server } from '../measure';

/** A Redis server whose users have all rights. */
export interface RedisOfRow extends Server {
  readonly host: string;
  readonly port: number;
}

export async function startRedisServer(): Promise<RedisOfRow> {
  const server = await startRedis();
  const changes = new Map<string, number>();
  let refused = 0;
  return {
    host: server.host,
    port: server.port,
    refused: () => refused,
    async changePassword(user, password) {
      changes.set(user, (changes.get(user) ?? 0) + 1);
      await server.user(user, 'on', 'resetpass', `>${password}`, ...RIGHTS);
    },
    /** A session stays and authenticates again. Redis shows its user, but not by which password. */
    async sessions() {
      const errors = await server.command('info', 'errorstats');
      refused = Number(/errorstat_WRONGPASS:count=(\d+)/.exec(errors)?.[1] ?? 0);
      const list = await server.command('client', 'list');
      return [...list.matchAll(/^id=(\d+) .* user=(app_\S+)/gm)].map(
        ([, id, user]) => `${id} ${user} ${changes.get(user as string)}`,
      );
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
