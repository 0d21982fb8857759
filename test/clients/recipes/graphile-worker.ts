import { run, type TaskList } from 'graphile-worker';
import type { HotPool } from 'hot-secrets/pg';

export async function useGraphileWorker(pool: HotPool, taskList: TaskList) {
  // #region recipe
  // graphile-worker warns about a pool without handlers of errors.
  pool.on('error', (error) => console.error(error.message));
  pool.on('connect', (client) => client.on('error', () => {}));
  const runner = await run({ pgPool: pool, taskList });
  // #endregion
  return runner;
}
