import type { RedisClientOptions } from 'redis';
import type { Login } from './login';
import { refusalOf } from './login';

/** The part of the `redis` package that is used. */
export type RedisModule = Pick<typeof import('redis'), 'createClient'>;

/** The options of a client, for either version of the protocol. */
export type ClientOptions = Omit<RedisClientOptions, 'RESP'> & { RESP?: 2 | 3 | undefined };

/** A client of node-redis, with the internal parts that are used. */
export interface ClientInternals {
  readonly isReady: boolean;
  readonly isOpen: boolean;
  readonly isPubSubActive: boolean;
  readonly socketEpoch: number;
  readonly options: { readonly RESP?: 2 | 3; readonly commandOptions?: { readonly timeout?: number } };
  connect(): Promise<unknown>;
  destroy(): void;
  duplicate(overrides?: object): ClientInternals;
  sendCommand(args: readonly unknown[], options?: object): Promise<unknown>;
  on(event: string, listener: (...args: never[]) => void): unknown;
  _getQueue(): QueueInternals;
}

export interface CommandOptions {
  readonly chainId?: symbol | undefined;
  readonly timeout?: number | undefined;
}

/** The queue of a client: commands that wait to be written, then for their reply. */
export interface QueueInternals {
  readonly pendingCount: number;
  addCommand(args: readonly unknown[], options?: CommandOptions): Promise<unknown>;
  commandsToWrite(): Generator<unknown, void>;
  resubscribe(chainId?: symbol): Promise<unknown> | undefined;
  monitor(callback: unknown, options?: CommandOptions): Promise<unknown>;
  setMaintenanceCommandTimeout(ms: number | undefined): void;
}

/** Logs in on a connection of its own, sends `PING`, and closes it. Rejects with the error of node-redis. */
export async function probe(
  redis: RedisModule,
  { username, password, options }: Login<ClientOptions>,
  signal: AbortSignal,
): Promise<void> {
  const { url, socket, RESP } = options;
  const client = redis.createClient({
    ...(url === undefined ? {} : { url }),
    ...(RESP === undefined ? {} : { RESP }),
    ...(username === undefined ? {} : { username }),
    password,
    // node-redis changes the object that it is given.
    socket: { ...socket, reconnectStrategy: false } as NonNullable<ClientOptions['socket']>,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  } as RedisClientOptions);
  client.on('error', () => {});
  const stop = () => client.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    // A proxy in between may accept a login that its server refuses. Not every user may ping.
    await client.ping().catch((error: unknown) => {
      if (refusalOf(error) !== 'NOPERM') throw error;
    });
  } finally {
    signal.removeEventListener('abort', stop);
    client.destroy();
  }
}
