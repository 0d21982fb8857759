import type { Client, ClientConfig, Pool, PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { PEERS } from '../../internal/peer';
import { certificateAlert } from '../tls/alert';

/** The part of the `pg` module that the adapter uses. */
export interface PgModule {
  readonly Pool: new (config?: PoolConfig) => Pool;
  readonly Client: new (config?: string | ClientConfig) => Client;
}

/** A caller in the pool's queue. */
export interface PendingItem {
  callback: (error: Error | undefined, client?: Client, release?: () => void) => void;
  timedOut?: boolean;
}

/**
 * The private members of pg-pool that the adapter uses. They have not changed since pg-pool 3.6 (pg 8.11).
 */
export interface PoolInternals {
  _clients: Client[];
  _idle: { readonly client: Client }[];
  _pendingQueue: PendingItem[];
  /** Clients that are closed instead of becoming idle when they are released. */
  _expired: WeakSet<Client>;
  _isFull(): boolean;
  _pulseQueue(): void;
  _remove(client: Client, callback?: () => void): void;
  newClient(item: PendingItem): void;
  readonly ending: boolean;
}

const METHODS = ['_isFull', '_pulseQueue', '_remove', 'newClient'] as const;
const FIELDS = ['_clients', '_idle', '_pendingQueue', '_expired'] as const;

/** Throws `PEER_UNSUPPORTED` if a pool lacks the internals that the adapter needs. */
export function assertInternals(pool: object): void {
  const missing = [
    ...METHODS.filter((name) => typeof (pool as Record<string, unknown>)[name] !== 'function'),
    ...FIELDS.filter((name) => typeof (pool as Record<string, unknown>)[name] !== 'object'),
  ];
  if (missing.length === 0) return;
  throw new SecretsError('PEER_UNSUPPORTED', `this version of pg has no ${missing.join(', ')} in its pool`, {
    next: `Use pg ${PEERS.pg} or newer, not its native bindings; report it if this is the newest.`,
  });
}

/**
 * Tells whether the server refused the login: SQLSTATE invalid_password or invalid_authorization_specification, or a TLS
 * alert about the client's certificate.
 */
export function isRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  return code === '28P01' || code === '28000' || certificateAlert(error) !== undefined;
}

/** Ends a login. `end()` would close the connection and never answer the caller that waits for the login. */
export function abortLogin(client: Client): void {
  const { connection } = client as { connection?: { stream: { destroy(): void } } };
  if (connection === undefined) void client.end().catch(() => {});
  else connection.stream.destroy();
}
