import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Pool, PoolOptions } from 'mysql2';
import { SecretsError } from '../../errors';
import { hide } from '../../internal/hidden';
import { PEERS } from '../../internal/peer';

/** The `mysql2` module, as far as the adapter uses it. */
export interface MysqlModule {
  readonly createPool: (options: PoolOptions) => Pool;
}

/** What the adapter uses of the module. Not all of it is in the types of mysql2. */
export interface Mysql extends MysqlModule {
  readonly Pool: new (options: { config: PoolConfig }) => BasePool;
  readonly Connection: new (options: { config: ConnectionConfig }) => Connection;
  readonly PoolConnection: new (pool: object, options: { config: ConnectionConfig }) => Connection;
  readonly createQuery: (query: object, callback: Answer, none: undefined, config: object) => object;
}

export const USES = ['Connection', 'Pool', 'PoolConnection', 'createPool', 'createQuery'] as const;

export type Answer = (error: Error | null | undefined) => void;

/** A caller in the queue of a pool. */
export type Caller = (error: Error | null, connection?: StampedConnection) => void;

/** The queues of mysql2. */
export interface Queue<T> {
  readonly length: number;
  get(index: number): T | undefined;
  push(item: T): unknown;
  unshift(item: T): unknown;
  shift(): T | undefined;
  pop(): T | undefined;
  removeOne(index: number): unknown;
  toArray(): T[];
}

/** The settings of a connection, from which each one gets a copy. */
export interface ConnectionConfig {
  pool?: object | undefined;
  readonly user?: string | undefined;
  password?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly database?: string | undefined;
  readonly socketPath?: string | undefined;
  readonly connectTimeout?: number | undefined;
  ssl: object | false;
}

/** The settings of a pool. */
export interface PoolConfig {
  connectionConfig: ConnectionConfig;
  readonly connectionLimit: number;
  readonly queueLimit: number;
  readonly waitForConnections: boolean;
  readonly resetOnRelease?: boolean;
}

/** A connection of mysql2 with its private members. */
export interface Connection extends EventEmitter {
  stream: Duplex;
  readonly config: ConnectionConfig;
  /** The pool, until it has removed the connection. */
  _pool?: object | null;
  _released?: boolean;
  connect(answer: Answer): void;
  addCommand(command: object): unknown;
  /** Ends the session after its last command. */
  _realEnd(answer: Answer): unknown;
  reset?(answer: Answer): void;
  end(answer?: Answer): unknown;
}

/** A connection that knows the one credential that its user, password, host and TLS came from. */
export interface StampedConnection extends Connection {
  credentialId: number;
  loggingIn: boolean;
}

/** A pool of mysql2 with its private members. They have not changed since 3.0. */
export interface BasePool extends EventEmitter {
  readonly config: PoolConfig;
  readonly _allConnections: Queue<StampedConnection>;
  readonly _freeConnections: Queue<StampedConnection>;
  readonly _connectionQueue: Queue<Caller>;
  readonly _closed: boolean;
  getConnection(callback: Caller): void;
  releaseConnection(connection: StampedConnection): void;
  _removeConnection(connection: StampedConnection): void;
  end(callback?: Answer): void;
  promise(promise?: PromiseConstructor): object;
}

const METHODS = ['getConnection', 'releaseConnection', '_removeConnection', 'end', 'promise'];
const QUEUES = ['_allConnections', '_freeConnections', '_connectionQueue'];
const OF_QUEUES = ['get', 'push', 'unshift', 'shift', 'pop', 'removeOne', 'toArray'];

/** Throws `PEER_UNSUPPORTED` if this version of mysql2 lacks internals that the adapter needs. */
export function assertInternals({ PoolConnection }: Mysql, pool: object): void {
  const lacking = (object: object | undefined, names: readonly string[]) =>
    names.filter((name) => typeof (object as Record<string, unknown> | undefined)?.[name] !== 'function');
  const queues = QUEUES.filter(
    (name) => lacking((pool as Record<string, object>)[name], OF_QUEUES).length > 0,
  );
  const missing = [
    ...lacking(pool, METHODS),
    ...queues,
    ...lacking(PoolConnection.prototype as object, ['connect', 'addCommand', '_realEnd']),
  ];
  if (missing.length === 0) return;
  throw new SecretsError(
    'PEER_UNSUPPORTED',
    `this version of mysql2 has no ${missing.join(', ')} in its pool`,
    {
      next: `Use mysql2 ${PEERS.mysql2} or newer; report it if this is the newest.`,
    },
  );
}

/** The settings that are secret. */
const SECRET = ['password', 'password2', 'password3', 'passwordSha1'] as const;

/** Hides the secret settings from `inspect`, which mysql2 does not. */
export function hideSecrets<C extends object>(config: C): C {
  for (const name of SECRET) {
    const value = (config as Record<string, unknown>)[name];
    if (value !== undefined) hide(config, name, value);
  }
  return config;
}

/** Copies the settings for one connection: some commands of a connection change its own. */
export function copyOf(config: ConnectionConfig): ConnectionConfig {
  return hideSecrets(
    Object.create(
      Object.getPrototypeOf(config),
      Object.getOwnPropertyDescriptors(config),
    ) as ConnectionConfig,
  );
}

/**
 * Waits for the login of a connection, and runs a query: MariaDB accepts a login with an expired password and refuses the
 * first query, and a proxy may accept a login that its server refuses.
 */
export function logIn({ createQuery }: Mysql, connection: Connection, answer: Answer): void {
  connection.connect((error) => {
    if (error) return answer(error);
    const { config } = connection;
    const query = { sql: 'select 1', timeout: config.connectTimeout };
    // Not `connection.query`, which tracing would attribute to the user.
    connection.addCommand(createQuery(query, answer, undefined, config));
  });
}

const QUIT_MS = 1000;

/** Ends a session after its last command, and its socket soon after that. */
export function quit(connection: Connection): void {
  const { stream } = connection;
  connection._realEnd(() => {
    const timer = setTimeout(() => stream.destroy(), QUIT_MS).unref();
    stream.once('close', () => clearTimeout(timer));
  });
}
