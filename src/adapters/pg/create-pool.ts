import type { Pool } from 'pg';
import { isSecretsError, type SecretsError } from '../../errors';
import { Events } from '../../internal/events';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import { loadPeer } from '../../internal/peer';
import { deadline } from '../../internal/time';
import { listenerFailure, warn } from '../../internal/warnings';
import { failureOf, publish } from '../../observe/channels';
import { rotatingOptions } from '../../rotation/rotating';
import { Rotation } from '../../rotation/rotation';
import { track } from '../../rotation/tracked';
import type { RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import type { PgModule } from './pg-internals';
import { probe, refusal } from './probe';
import { type Credential, type PoolRecipe, runPoolRecipe } from './recipe';
import { createRotatingPool, type RotatingPool } from './rotating-pool';

/** Durations are milliseconds. */
export interface CreatePoolOptions {
  /** The `pg` package to use, where it is not the installed one: some libraries check for their own copy. */
  readonly pg?: PgModule;
  /** What errors and events call the pool. Default: `pool`. */
  readonly name?: string;
  /** Bound of the test login before a new credential is used. Default: 5 000. */
  readonly verifyTimeoutMs?: number;
  /** Time over which connections of the old credential are retired, with jitter. Default: 1 000. */
  readonly retireOverMs?: number;
  /**
   * How long one of them may stay checked out, before it is closed under its user; also the bound of `end()`.
   * Default: 3 600 000 (an hour): the server lets them live, so nothing is gained by breaking a long transaction.
   */
  readonly drainTimeoutMs?: number;
  /** The same for connections that hold a LISTEN, which are checked out for good. Default: `Infinity`. */
  readonly listenDrainTimeoutMs?: number;
  /** How long a caller waits when the server refuses the current credential, before the refusal is theirs. Default: 15 000. */
  readonly authFailureWaitMs?: number;
  /** First step of the backoff between test logins with a credential that failed. Default: 1 000. */
  readonly retryBaseMs?: number;
  /** Its longest step. Default: 30 000. */
  readonly retryMaxMs?: number;
}

export interface PoolRotationEvents extends RotationEvents {
  /** The server refuses the current credential; callers wait, and the store looks for a newer one. */
  refused: {
    readonly name: string;
    readonly generation: number;
    readonly waiting: number;
    readonly error: SecretsError;
  };
  /** It takes logins again. */
  accepted: { readonly name: string; readonly generation: number; readonly waitedMs: number };
}

/** The rotation of a pool, beside the pool's own events and counts. */
export interface PoolRotation {
  /** The store's generation that new connections log in with. */
  readonly generation: number;
  /** Open connections of older generations. */
  readonly staleCount: number;
  /** Those of them that hold a LISTEN, and so never drain by themselves. */
  readonly listeningCount: number;
  on<E extends keyof PoolRotationEvents>(
    event: E,
    listener: (payload: PoolRotationEvents[E]) => void,
  ): () => void;
}

/** A `pg.Pool` that follows the rotation of its credential. */
export type HotPool = Pool & { readonly rotation: PoolRotation };

const OWN_OPTIONS = ['pg', 'retireOverMs', 'listenDrainTimeoutMs', 'authFailureWaitMs'] as const;
const ENGINE_OPTIONS = ['name', 'verifyTimeoutMs', 'drainTimeoutMs', 'retryBaseMs', 'retryMaxMs'] as const;

/**
 * A real `pg.Pool` (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe reads.
 * On rotation one test login verifies the new credential; then new connections use it, and old ones are retired when they are
 * idle or released, paced. No query fails: what is checked out goes on, and when the server refuses the
 * current credential (it changed before the file did) callers wait for the newer one, up to `authFailureWaitMs`.
 *
 * Settings of the pool itself (`max`, `idleTimeoutMillis`, …) are taken from the first run of the recipe.
 *
 * Client certificates and authorities are a part of the credential: what `ssl` holds is checked, and made into a context, so
 * that no key is in anything that the pool prints.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`, `PEER_MISSING`,
 * `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 * Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`. Callers who wait when the pool ends:
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
  rejectUnknownOptions('createPool', options, [...OWN_OPTIONS, ...ENGINE_OPTIONS]);
  const {
    retireOverMs = 1000,
    listenDrainTimeoutMs = Number.POSITIVE_INFINITY,
    authFailureWaitMs = 15_000,
  } = options;
  assertNumber('createPool', 'retireOverMs', retireOverMs);
  assertNumber('createPool', 'listenDrainTimeoutMs', listenDrainTimeoutMs);
  assertNumber('createPool', 'authFailureWaitMs', authFailureWaitMs);
  const engine = rotatingOptions('createPool', {
    name: 'pool',
    verifyTimeoutMs: 5_000,
    drainTimeoutMs: 3_600_000,
    ...Object.fromEntries(Object.entries(options).filter(isEngineOption)),
  });
  const { name } = engine;
  const pg = options.pg ?? loadPeer<PgModule>('pg');

  const tracked = track(store.snapshot());
  const first = runPoolRecipe(name, recipe, tracked.snapshot);
  const events = new Events<PoolRotationEvents>((event, error) => warn(listenerFailure(event, error)));
  const ended = new AbortController();
  let { generation } = first;
  let refusedAt: number | undefined;

  const pool: RotatingPool = createRotatingPool(pg, first, {
    name,
    retireOverMs,
    authFailureWaitMs,
    listenDrainTimeoutMs,
    drainTimeoutMs: engine.drainTimeoutMs,
    refused(cause, waiting) {
      refusedAt = performance.now();
      const error = refusal(name, cause);
      publish('hot-secrets:credential:refused', () => ({
        ...rotation.identity,
        ...failureOf(error),
        generation,
        waiting,
      }));
      events.emit('refused', { name, generation, waiting, error });
      if (!events.has('refused')) warn(error);
      lookNow();
    },
    accepted() {
      const waitedMs = refusedAt === undefined ? 0 : performance.now() - refusedAt;
      refusedAt = undefined;
      publish('hot-secrets:credential:accepted', () => ({ ...rotation.identity, generation, waitedMs }));
      events.emit('accepted', { name, generation, waitedMs });
    },
    async probe(credential) {
      lookNow();
      const bound = deadline(ended.signal, engine.verifyTimeoutMs);
      try {
        await probe(pg.Client, name, credential, bound.signal);
        return true;
      } catch {
        return false;
      } finally {
        bound.release();
      }
    },
    ending() {
      ended.abort();
      void rotation.close();
    },
  });

  const rotation = new Rotation<Credential, V>(
    store,
    {
      build: (snapshot) => runPoolRecipe(name, recipe, snapshot),
      verify: (credential, signal) => probe(pg.Client, name, credential, signal),
      drain: (credential, signal) => pool.drained(credential, signal),
      dispose: (credential) => pool.force(credential, 'others'),
    },
    engine,
    {
      initial: { resource: first, tracked },
      face: {
        kind: 'pg',
        connections: () => ({ open: pool.totalCount, stale: pool.stale().length }),
        refused: () => refusedAt !== undefined,
      },
    },
  );
  // Before any listener of the user: whoever hears of the rotation finds the pool switched.
  rotation.on('swapped', () => {
    generation = rotation.generation;
    pool.switchTo(rotation.current);
  });

  /** The server changed its mind about credentials: a newer one may be in a source, or wait for its next test login. */
  function lookNow(): void {
    rotation.retryNow();
    store.refresh({ trigger: 'auth-failure' }).catch((error) => {
      if (!isSecretsError(error, 'STORE_CLOSED')) throw error;
    });
  }

  const face: PoolRotation = {
    get generation() {
      return generation;
    },
    get staleCount() {
      return pool.stale().length;
    },
    get listeningCount() {
      return pool.stale().filter(({ listening }) => listening).length;
    },
    on(event, listener) {
      if (event === 'refused' || event === 'accepted') return events.on(event, listener);
      return rotation.on(event as 'swapped', listener as never);
    },
  };
  return Object.defineProperty(pool, 'rotation', { value: Object.freeze(face) }) as unknown as HotPool;
}

function isEngineOption([option, value]: [string, unknown]): boolean {
  return value !== undefined && ENGINE_OPTIONS.includes(option as never);
}
