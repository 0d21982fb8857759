import type { EventEmitter } from 'node:events';
import type { ConnectionOptions } from 'node:tls';

/** A result of pg, where `@types/pg` is not installed. */
export interface BasicResult<R> {
  readonly rows: R[];
  readonly rowCount: number | null;
  readonly command: string;
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

/** A query of pg as an object, where `@types/pg` is not installed. */
export interface BasicQuery {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  /** The name of a prepared statement. */
  readonly name?: string | undefined;
}

interface Queries {
  /** Rows are `unknown` by column unless you name their type: `query<{ id: number }>('select id from t')`. */
  query<R = Record<string, unknown>>(
    query: string | BasicQuery,
    values?: readonly unknown[],
  ): Promise<BasicResult<R>>;
  /** A cursor or a stream of rows, which is returned as it is. */
  query<S extends { submit(connection: never): void }>(submittable: S): S;
}

/** A connection that was taken from a pool, where `@types/pg` is not installed. */
export interface BasicPoolClient extends EventEmitter, Queries {
  /** Gives it back; with `true` or an error, closes it. */
  release(destroy?: Error | boolean): void;
}

/** What is typed of `pg.Pool` where `@types/pg` is not installed: all but the forms with callbacks. */
export interface BasicPool extends EventEmitter, Queries {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
  readonly ending: boolean;
  readonly ended: boolean;
  /** The settings that new connections use. Without the password when they are printed or spread. */
  readonly options: BasicPoolConfig & { readonly max: number };
  connect(): Promise<BasicPoolClient>;
  end(): Promise<void>;
}

/** The settings of `pg.Pool`, where `@types/pg` is not installed. */
export interface BasicPoolConfig {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
  readonly password?: string | (() => string | Promise<string>) | undefined;
  readonly connectionString?: string | undefined;
  readonly ssl?: boolean | ConnectionOptions | undefined;
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined;
  readonly enableChannelBinding?: boolean | undefined;
  readonly application_name?: string | undefined;
  readonly fallback_application_name?: string | undefined;
  readonly client_encoding?: string | undefined;
  readonly options?: string | undefined;
  readonly keepAlive?: boolean | undefined;
  readonly keepAliveInitialDelayMillis?: number | undefined;
  readonly connectionTimeoutMillis?: number | undefined;
  readonly statement_timeout?: false | number | undefined;
  readonly query_timeout?: number | undefined;
  readonly lock_timeout?: number | undefined;
  readonly idle_in_transaction_session_timeout?: number | undefined;
  readonly max?: number | undefined;
  readonly min?: number | undefined;
  readonly maxUses?: number | undefined;
  readonly maxLifetimeSeconds?: number | undefined;
  readonly idleTimeoutMillis?: number | null | undefined;
  readonly allowExitOnIdle?: boolean | undefined;
  /** `pg-types`, or your own parsers. */
  readonly types?: { getTypeParser(oid: number, format?: string): unknown } | undefined;
  readonly onConnect?: ((client: BasicPoolClient) => unknown) | undefined;
}
