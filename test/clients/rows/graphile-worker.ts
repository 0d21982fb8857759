import type { Row } from '../measure';
import { useGraphileWorker } from '../recipes/graphile-worker';
import { type Postgres, poolOf, startServer } from '../servers/postgres';

/** Each turn adds a job and waits until the worker, which listens for it, has run it. */
export const row: Row<Postgres> = {
  server: startServer,
  async start(secrets, server) {
    // The worker listens on one connection forever, and opens another one when that ends.
    const pool = poolOf(secrets, server, { options: '-c role=app' }, { listenDrainTimeoutMs: 1_000 });
    const waiting = new Map<number, () => void>();
    const runner = await useGraphileWorker(pool, {
      order: async (payload) => waiting.get((payload as { turn: number }).turn)?.(),
    });
    return {
      async work(turn) {
        const ran = new Promise<void>((resolve) => waiting.set(turn, resolve));
        await runner.addJob('order', { turn });
        await ran;
        waiting.delete(turn);
      },
      async close() {
        await runner.stop();
        await pool.end();
      },
    };
  },
};
