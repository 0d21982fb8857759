import type { EventEmitter } from 'node:events';
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
export interface PoolInternals extends Pick<EventEmitter, 'on' | 'off'> {
  readonly options: PoolConfig & { readonly max: number };
  /** The class of the clients. pg-pool makes each with `new this.Client(this.options)`. */
  Client: PgModule['Client'];
  _clients: Client[];
  _idle: { readonly client: Client }[];
  _pendingQueue: PendingItem[];
  /** Clients that are closed instead of becoming idle when they are released. */
  _expired: WeakSet<Client>;
  _isFull(): boolean;
  _pulseQueue(): void;
  _remove(client: Client, callback?: () => void): void;
  _release(client: Client, idleListener: unknown, error: unknown): void;
  newClient(item: PendingItem): void;
  ending: boolean;
  readonly ended: boolean;
}

/** The public methods that the adapter overrides, in one form each, because pg declares overloads. */
interface Overridable {
  connect(callback?: PendingItem['callback']): unknown;
  emit(event: string | symbol, ...args: unknown[]): boolean;
  end(callback?: (error?: Error) => void): Promise<void>;
}

export type BasePool = Omit<Pool, keyof Overridable> & PoolInternals & Overridable;

const METHODS = ['_isFull', '_pulseQueue', '_remove', '_release', 'newClient'] as const;
const FIELDS = ['_clients', '_idle', '_pendingQueue', '_expired'] as const;

/** Throws `PEER_UNSUPPORTED` if a pool or the prototype of its class (`base`) lacks the internals that the adapter needs. */
export function assertInternals(pool: object, base: object): void {
  const missing = [
    ...METHODS.filter((name) => typeof (base as Record<string, unknown>)[name] !== 'function'),
    ...FIELDS.filter((name) => typeof (pool as Record<string, unknown>)[name] !== 'object'),
  ];
  if (missing.length === 0) return;
  throw new SecretsError('PEER_UNSUPPORTED', `this version of pg has no ${missing.join(', ')} in its pool`, {
    next: `Use pg ${PEERS.pg} or newer, not its native bindings; report it if this is the newest.`,
  });
}

/**
 * Throws `PEER_UNSUPPORTED` for the native bindings, whose clients do their logins where nothing of them can be seen:
 * `pg.native`, or pg itself with `NODE_PG_FORCE_NATIVE`.
 */
export function assertJavaScript({ Client }: PgModule): void {
  if (typeof Client !== 'function' || !('isConnected' in Client.prototype)) return;
  throw new SecretsError('PEER_UNSUPPORTED', 'createPool does not support the native bindings of pg', {
    next: 'Pass the JavaScript client, and unset NODE_PG_FORCE_NATIVE.',
  });
}

/** The codes of Node for a server certificate that the trusted authorities do not cover. */
const UNTRUSTED = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
];

/**
 * Returns why the two sides refuse each other, which a newer secret may change; `undefined` for any other error.
 *
 * The server refuses a password with SQLSTATE 28P01 or 28000, PgBouncer with 08P01 and a text, and a client certificate with
 * a TLS alert. The client refuses a server certificate that its authorities do not cover, which only matters if the recipe
 * names them (`trusts`).
 */
export function refusalOf(error: unknown, trusts = true): string | undefined {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === '28P01' || code === '28000') return `SQLSTATE ${code}`;
  if (code === '08P01' && /authentication failed|no such user/i.test(String(message))) {
    return 'SQLSTATE 08P01 of PgBouncer: authentication failed';
  }
  const alert = certificateAlert(error);
  if (alert !== undefined) return `TLS alert ${alert} about its certificate`;
  return trusts && UNTRUSTED.includes(code as string)
    ? `the server's certificate is not trusted: ${code}`
    : undefined;
}

/** SQLSTATE too_many_connections: the server, a database or a role is at its limit. */
export const isTooMany = (error: unknown) => (error as { code?: unknown } | undefined)?.code === '53300';

/** Ends a login. `end()` would close the connection and never answer the caller that waits for the login. */
export function abortLogin(client: Client): void {
  const { connection } = client as { connection?: { stream: { destroy(): void } } };
  if (connection === undefined) void client.end().catch(() => {});
  else connection.stream.destroy();
}
