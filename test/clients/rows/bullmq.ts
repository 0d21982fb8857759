import type { Row } from '../measure';
import { useBullMq } from '../recipes/bullmq';
import { type RedisOfRow, startRedisServer } from '../servers/redis';

/** Each turn adds a job, and waits until the worker has done it. */
export const row: Row<RedisOfRow> = {
  needs: ['redis-server', 'redis-server'],
  server: startRedisServer,
  async start(secrets, { host, port }) {
    const waiting = new Map<number, () => void>();
    const runs = new Map<number, number>();
    const { connection, queue, worker } = useBullMq(secrets, { host, port }, async ({ data }) => {
      const { turn } = data as { turn: number };
      runs.set(turn, (runs.get(turn) ?? 0) + 1);
      waiting.get(turn)?.();
    });
    const errors: string[] = [];
    const onError = (error: Error) => {
      errors.push(error.message);
    };
    queue.on('error', onError);
    worker.on('error', onError);
    return {
      async work(turn) {
        const done = new Promise<void>((resolve) => waiting.set(turn, resolve));
        await queue.add('send', { turn });
        await done;
      },
      async check() {
        const repeated = [...runs.values()].filter((count) => count > 1).length;
        return [...(repeated === 0 ? [] : [`${repeated} jobs ran twice`]), ...errors.slice(0, 3)];
      },
      async close() {
        await worker.close();
        await queue.close();
        connection.disconnect();
      },
    };
  },
};
