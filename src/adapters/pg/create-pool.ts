import type { Pool, PoolConfig } from 'pg';
import { Events, type Listenable } from '../../internal/events';
import { ms, passed } from '../../internal/options';
import { loadPeer } from '../../internal/peer';
import type { Typed } from '../../internal/typed';
import { warnOfListener } from '../../internal/warnings';
import { clientOptions, RotatingClient } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { CredentialEvents, RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import type { BasicPool, BasicPoolConfig } from './basic-types';
import { credentialOf, probe, refusal } from './credential';
import type { PgModule } from './pg-internals';
import { createRotatingPool, type PoolEvents } from './rotating-pool';
import { assertSpelling } from './settings';

/** Turns one generation into the options of a pool. Synchronous; the pool depends on the secrets that it reads. */
export type PoolRecipe<V> = Recipe<V, Typed<PoolConfig, BasicPoolConfig>>;

/** Durations are milliseconds. */
export interface CreatePoolOptions {
  /** The `pg` package to use instead of the installed one: some libraries check for their own copy. */
  readonly pg?: PgModule | undefined;
  /** The name of the pool in errors and events. Default: `pool`. */
  readonly name?: string | undefined;
  /** Time limit of the test login before a new credential is used. Default: 5 000. */
  readonly verifyTimeoutMs?: number | undefined;
  /** Time over which connections of the old credential are retired, with jitter. Default: 1 000. */
  readonly retireOverMs?: number | undefined;
  /**
   * How long one of them may stay checked out before it is closed while in use; also the time limit of `end()`.
   * Default: 3 600 000 (an hour): the server does not end them, so breaking a long transaction gains nothing.
   */
  readonly drainTimeoutMs?: number | undefined;
  /** The same limit for connections that hold a LISTEN, which stay checked out. Default: `Infinity`. */
  readonly listenDrainTimeoutMs?: number | undefined;
  /** How long a caller waits while the server refuses the current credential, before the call fails. Default: 15 000. */
  readonly authFailureWaitMs?: number | undefined;
  /** First step of the backoff between test logins with a credential that failed. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Its longest step. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/** The events of a pool's rotation. */
export interface PoolRotationEvents extends RotationEvents, CredentialEvents {}

/**
 * The rotation of a pool, apart from the pool's own events and counts. What is wrong (`rejected`, `refused`, `error`)
 * also reaches the `error` listeners of the store, and is a process warning where neither has a listener.
 */
export interface PoolRotation extends Listenable<PoolRotationEvents> {
  /** The store's generation that new connections log in with. */
  readonly generation: number;
  /** Open connections of older generations. */
  readonly staleCount: number;
  /** Those of them that hold a LISTEN, and so never drain by themselves. */
  readonly listeningCount: number;
}

/**
 * A `pg.Pool` that follows the rotation of its credential. Without `@types/pg` its common part is typed, as `BasicPool`.
 */
export type HotPool = Typed<Pool, BasicPool> & { readonly rotation: PoolRotation };

/** Settings of pg, which are often taken for options of `createPool`. */
const IN_RECIPE = [
  ...['host', 'port', 'database', 'user', 'password', 'ssl', 'connectionString', 'application_name'],
  ...['max', 'min', 'maxUses', 'maxLifetimeSeconds', 'idleTimeoutMillis', 'connectionTimeoutMillis'],
  ...['allowExitOnIdle', 'keepAlive', 'statement_timeout', 'query_timeout'],
];

/**
 * A real `pg.Pool` (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe reads.
 * On rotation one test login verifies the new credential; then new connections use it, and old ones are retired when they are
 * idle or released, paced. No query fails: checked-out connections keep working, and when the server refuses the current
 * credential (it changed before the file did), callers wait for the newer one, up to `authFailureWaitMs`.
 *
 * Settings of the pool itself (`max`, `idleTimeoutMillis`, …) are taken from the first run of the recipe.
 *
 * Client certificates and authorities are a part of the credential: `ssl` is checked, and made into a context, so that the
 * pool prints no key.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`,
 * `TLS_OPTIONS_INVALID`, `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN` (also for a misspelt setting), `OPTION_INVALID`.
 * Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`. Callers that wait when the pool ends:
 * `POOL_CLOSED`.
 *
 * @example
 * ```ts
 * const pool = createPool(secrets, (s) => ({
 *   host: 'db', database: 'app', user: s.reveal('dbUser'), password: s.reveal('dbPassword'),
 * }));
 * await pool.query('select now()');
 * ```
 */
export function createPool<V>(
  store: SecretStore<V>,
  recipe: PoolRecipe<V>,
  options: CreatePoolOptions = {},
): HotPool {
  const own = {
    pg: passed<PgModule>(),
    verifyTimeoutMs: ms(5_000),
    retireOverMs: ms(1_000),
    listenDrainTimeoutMs: ms(Number.POSITIVE_INFINITY),
    authFailureWaitMs: ms(15_000),
  };
  const settings = clientOptions('createPool', options, 'pool', own, IN_RECIPE);
  const { name } = settings;
  const pg = settings.pg ?? loadPeer<PgModule>('pg');
  const client = new RotatingClient('createPool', {
    kind: 'pg',
    store,
    recipe,
    returns: 'a pg.Pool',
    options: settings,
    refusals: true,
    connect(config: PoolConfig) {
      assertSpelling(name, config);
      return credentialOf(name, config);
    },
    verify: (credential, signal) => probe(pg.Client, name, credential, signal),
  });
  const happenings = new Events<PoolEvents>(warnOfListener);
  const pool = createRotatingPool(pg, client.current, settings, happenings);
  happenings.on('refused', ({ error, waiting }) => client.refused(refusal(name, error), waiting));
  happenings.on('probing', () => client.refreshNow());
  happenings.on('accepted', () => client.accepted());
  happenings.on('ending', () => void client.stop());
  client.follow({
    swap: (credential) => pool.swap(credential),
    drained: (credential, signal) => pool.drained(credential, signal),
    close: (credential) => pool.force(credential, 'others'),
    connections: () => ({ open: pool.totalCount, stale: pool.stale().length }),
  });
  return client.expose(pool as Pool, {
    get listeningCount() {
      return pool.stale().filter(({ listening }) => listening).length;
    },
  }) as unknown as HotPool;
}
