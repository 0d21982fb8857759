import { type Processor, Queue, Worker } from 'bullmq';
import { createRedis } from 'hot-secrets/ioredis';
import type { Secrets } from '../measure';

export function useBullMq(secrets: Secrets, address: { host: string; port: number }, process: Processor) {
  // #region recipe
  const connection = createRedis(secrets, (s) => ({
    ...address,
    maxRetriesPerRequest: null, // BullMQ requires it of workers
    username: s.reveal('user'),
    password: s.reveal('password'),
  }));
  connection.on('error', (error) => console.error(error.message));
  const queue = new Queue('mail', { connection });
  const worker = new Worker('mail', process, { connection });
  // #endregion
  return { connection, queue, worker };
}
