import type { Pool, PoolConfig } from 'pg';
import { Events, type Listenable } from '../../internal/events';
import { ms, passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed } from '../../internal/typed';
import { warnOfListener } from '../../internal/warnings';
import { clientOptions, RotatingClient } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { CredentialEvents, RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import { keeps, POOL_OPTIONS, type RotatingPoolOptions } from '../pools/pool-options';
import type { PoolEvents } from '../pools/pool-types';
import { assertSpelling } from '../pools/spelling';
import type { BasicPool, BasicPoolConfig } from './basic-types';
import { type Credential, credentialOf, probe, probeFailure, refusal } from './credential';
import { assertJavaScript, isTooMany, type PgModule } from './pg-internals';
import { createRotatingPool } from './rotating-pool';
import { SETTINGS } from './settings';

/** Turns a snapshot into the options of a pool. Synchronous; the pool follows the secrets that it reads. */
export type PoolRecipe<V> = Recipe<V, Typed<PoolConfig, BasicPoolConfig>>;

/** Durations are milliseconds. */
export interface CreatePoolOptions extends RotatingPoolOptions {
  /** The `pg` module to use instead of the installed one, for bundles and for libraries that check for their own copy. */
  readonly pg?: PgModule | undefined;
  /** As `drainTimeoutMs`, for connections that hold a LISTEN, which stay checked out. Default: `Infinity`. */
  readonly listenDrainTimeoutMs?: number | undefined;
}

/** The events of a pool's rotation. */
export interface PoolRotationEvents extends RotationEvents, CredentialEvents {}

/**
 * The rotation of a pool, in addition to the pool's own events and counts. Problems (`rejected`, `refused`, `error`)
 * also reach the `error` listeners of the store; without any listener they become process warnings.
 */
export interface PoolRotation extends Listenable<PoolRotationEvents> {
  /** The generation whose credential new connections use. */
  readonly generation: number;
  /** Open connections of older generations. */
  readonly staleCount: number;
  /** Those of them that hold a LISTEN, so that they never drain by themselves. */
  readonly listeningCount: number;
}

/**
 * A `pg.Pool` that follows the rotation of its credential. Without `@types/pg` its common part is typed, as `BasicPool`.
 */
export type HotPool = Typed<Pool, BasicPool> & { readonly rotation: PoolRotation };

/**
 * A real `pg.Pool` (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe reads.
 * On rotation, one test login verifies the new credential. Then new connections use it, and old ones are retired at a steady
 * pace while they are idle or when they are released. No query fails: checked-out connections keep working. When the server
 * refuses the current credential (it changed before the file did), callers wait up to `authFailureWaitMs` for the newer one.
 *
 * The first run of the recipe fixes the settings of the pool itself (`max`, `idleTimeoutMillis`, …).
 *
 * Client certificates and authorities belong to the credential: `ssl` is checked and becomes a context, so the
 * pool never prints a key.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `TLS_OPTIONS_INVALID`, `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 * Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`. Callers that still wait when the pool
 * ends get `POOL_CLOSED`.
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
    listenDrainTimeoutMs: ms(Number.POSITIVE_INFINITY),
    ...POOL_OPTIONS,
  };
  const settings = clientOptions('createPool', options, 'pool', own, SETTINGS);
  const { name, retire } = settings;
  const pg = peer<PgModule>('pg', ['Client', 'Pool'], settings.pg);
  assertJavaScript(pg);
  const verify = async (credential: Credential, signal: AbortSignal) => {
    let returnPlace: (() => void) | undefined;
    try {
      await probe(pg, credential, signal).catch(async (error: unknown) => {
        if (isTooMany(error)) returnPlace = await pool.makeRoom(signal);
        if (returnPlace === undefined) throw error;
        await probe(pg, credential, signal);
      });
    } catch (error) {
      throw probeFailure(name, error);
    } finally {
      returnPlace?.();
    }
  };
  const client = new RotatingClient('createPool', {
    kind: 'pg',
    store,
    recipe,
    returns: 'a pg.Pool',
    options: settings,
    refusals: true,
    connect(config: PoolConfig) {
      assertSpelling(name, config, 'pg', SETTINGS);
      return credentialOf(pg.Client, name, config);
    },
    verify,
  });
  const happenings = new Events<PoolEvents>(warnOfListener);
  const pool = createRotatingPool(pg, client.current, settings, happenings);
  happenings.on('refused', ({ error, waiting }) => client.refused(refusal(name, error), waiting));
  happenings.on('probing', () => client.refreshNow());
  happenings.on('accepted', () => client.accepted());
  happenings.on('ending', () => void client.stop());
  client.follow({
    swap: (credential, _previous, onlyTokens) => pool.swap(credential, keeps(retire, onlyTokens)),
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
