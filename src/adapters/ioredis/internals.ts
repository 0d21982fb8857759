import type { Redis, RedisOptions } from 'ioredis';
import type { inspectCustom } from '../../internal/builtins';
import { type Login, refusalOf } from '../redis/login';

/** The part of the `ioredis` package that is used. */
export type IoredisModule = Pick<typeof import('ioredis'), 'Redis' | 'Command'>;

/** A command of ioredis. */
export interface RedisCommand {
  readonly name: string;
  readonly promise: Promise<unknown>;
  readonly inTransaction?: boolean;
  reject(error: Error): void;
}

/** A command that waits, with the pipeline that it belongs to and the database that it was sent to. */
export interface QueuedCommand {
  readonly command: RedisCommand;
  readonly stream: unknown;
  readonly select: number | undefined;
}

/** A queue of ioredis. */
export interface Queue {
  readonly length: number;
  push(item: QueuedCommand): void;
  shift(): QueuedCommand | undefined;
}

/** A client of ioredis, with the internal parts that are used. */
export interface RedisInternals {
  readonly status: string;
  readonly mode: string;
  readonly options: RedisOptions;
  readonly condition: { select?: number; auth?: unknown } | null;
  readonly offlineQueue: Queue;
  prevCommandQueue: Queue | null | undefined;
  readonly connector: { connect(emit: unknown): Promise<unknown>; disconnect(): void };
  connect(): Promise<void>;
  disconnect(reconnect?: boolean): void;
  call(command: string, ...words: readonly string[]): Promise<unknown>;
  on(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** The methods of a client that are replaced, as ioredis has them. */
export interface Originals {
  sendCommand(command: RedisCommand, stream?: unknown): unknown;
  connect(callback?: (error: unknown) => void): Promise<void>;
  recoverFromFatalError(commandError: unknown, error: unknown, options?: unknown): void;
  handleReconnection(error: Error, item: QueuedCommand): void;
  duplicate(override?: Partial<RedisOptions>): Redis;
  [inspectCustom](): string;
}

/** Makes a client that connects when it is told to. Its own types refuse options that may be undefined. */
export function makeRedis({ Redis: Class }: Pick<IoredisModule, 'Redis'>, options: object): Redis {
  const { url, ...rest } = options as { readonly url?: string };
  const args: readonly unknown[] = url === undefined ? [rest] : [url, rest];
  return new (Class as unknown as new (...args: readonly unknown[]) => Redis)(...args);
}

/** What only the connection of a user needs. */
const WITHOUT = {
  lazyConnect: true,
  connectionName: undefined,
  db: 0,
  enableOfflineQueue: true,
  enableReadyCheck: false,
  maxRetriesPerRequest: 0,
  monitor: false,
  readOnly: false,
  reconnectOnError: null,
  retryStrategy: () => null,
  scripts: undefined,
  sentinelRetryStrategy: () => null,
} satisfies RedisOptions;

/** Logs in on a connection of its own, sends `PING`, and closes it. Rejects with the error of ioredis. */
export async function probe(
  ioredis: IoredisModule,
  { username, password, options }: Login<RedisOptions>,
  signal: AbortSignal,
): Promise<void> {
  const named = username === undefined ? {} : { username };
  const redis = makeRedis(ioredis, { ...options, ...WITHOUT, ...named, password });
  // The error of `connect` only says that the connection is closed.
  let cause: unknown;
  redis.on('error', (error) => {
    cause ??= error;
  });
  const stop = () => redis.disconnect();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await redis.connect();
    // A proxy in between may accept a login that its server refuses. Not every user may ping.
    await redis.ping().catch((error: unknown) => {
      if (refusalOf(error) !== 'NOPERM') throw error;
    });
  } catch (error) {
    throw cause ?? error;
  } finally {
    signal.removeEventListener('abort', stop);
    redis.disconnect();
  }
}
