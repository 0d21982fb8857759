import type { Pool, PoolOptions } from 'mysql2';
import type { Pool as PromisePool } from 'mysql2/promise';
import { Events, type Listenable } from '../../internal/events';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { warnOfListener } from '../../internal/warnings';
import { clientOptions, RotatingClient } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { CredentialEvents, RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import { keeps, POOL_OPTIONS, type RotatingPoolOptions } from '../pools/pool-options';
import type { PoolEvents } from '../pools/pool-types';
import { type Credential, credentialOf, probe } from './credential';
import { type Mysql, type MysqlModule, USES } from './mysql-internals';
import { isTooMany, probeFailure, refusal } from './refusal';
import { RefusedLogins } from './refused-logins';
import { createRotatingPool } from './rotating-pool';
import { SETTINGS } from './settings';

/** Turns a snapshot into the options of a pool. Synchronous; the pool follows the secrets that it reads. */
export type PoolRecipe<V> = Recipe<V, PoolOptions>;

/** Durations are milliseconds. */
export interface CreatePoolOptions extends RotatingPoolOptions {
  /** The `mysql2` module to use instead of the installed one, for bundles and for libraries with a copy of their own. */
  readonly mysql2?: MysqlModule | undefined;
}

/** The events of a pool's rotation. */
export interface PoolRotationEvents extends RotationEvents, CredentialEvents {}

/**
 * The rotation of a pool, in addition to the pool's own events. Problems (`rejected`, `refused`, `error`) also reach the
 * `error` listeners of the store; without any listener they become process warnings.
 */
export interface PoolRotation extends Listenable<PoolRotationEvents> {
  /** The generation whose credential new connections use. */
  readonly generation: number;
  /** Open connections of older generations. */
  readonly staleCount: number;
}

/** A pool of `mysql2/promise` that follows the rotation of its credential. */
export type HotPromisePool = { readonly rotation: PoolRotation } & Typed<PromisePool, TypesMissing<'mysql2'>>;

/** A pool of mysql2 that follows the rotation of its credential. */
export type HotPool = {
  readonly rotation: PoolRotation;
  /** Returns the form with promises of the same pool. */
  promise(promise?: PromiseConstructor): HotPromisePool;
} & Typed<Pool, TypesMissing<'mysql2'>>;

/**
 * A real pool of mysql2 (a subclass of yours: `instanceof` holds) whose connections follow the secrets that the recipe reads.
 * On rotation, one test login verifies the new credential. Then new connections use it, and old ones are retired at a steady
 * pace while they are idle or when they are released. No query fails: checked-out connections keep working. When the server
 * refuses the current credential (it changed before the file did), callers wait up to `authFailureWaitMs` for the newer one.
 *
 * The first run of the recipe fixes the settings of the pool itself (`connectionLimit`, `idleTimeout`, …).
 *
 * One login at a time tries a credential, at most two follow at a time, and one password is refused at most twice a minute,
 * because MySQL and MariaDB can lock an account that was refused a few times.
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
 * const [rows] = await pool.promise().query('select now()');
 * ```
 */
export function createPool<V>(
  store: SecretStore<V>,
  recipe: PoolRecipe<V>,
  options: CreatePoolOptions = {},
): HotPool {
  return make('createPool', store, recipe, options);
}

/**
 * As `createPool`, for code that uses `mysql2/promise`: a real pool of that module. `createPool(…).promise()` is the same.
 *
 * @example
 * ```ts
 * const pool = createPromisePool(secrets, (s) => ({
 *   host: 'db', database: 'app', user: s.reveal('dbUser'), password: s.reveal('dbPassword'),
 * }));
 * const [rows] = await pool.query('select now()');
 * ```
 */
export function createPromisePool<V>(
  store: SecretStore<V>,
  recipe: PoolRecipe<V>,
  options: CreatePoolOptions = {},
): HotPromisePool {
  return make('createPromisePool', store, recipe, options).promise();
}

function make<V>(
  where: string,
  store: SecretStore<V>,
  recipe: PoolRecipe<V>,
  options: CreatePoolOptions,
): HotPool {
  const own = { ...POOL_OPTIONS, mysql2: passed<MysqlModule>() };
  const settings = clientOptions(where, options, 'pool', own, SETTINGS);
  const { name, retire } = settings;
  const mysql = peer<Mysql>('mysql2', USES, settings.mysql2);
  const refusedLogins = new RefusedLogins();
  const logIn = async (credential: Credential, signal: AbortSignal) => {
    const early = refusedLogins.tooEarly(credential);
    if (early !== undefined) throw early;
    try {
      await probe(mysql, credential, signal);
    } catch (error) {
      refusedLogins.failed(credential, error);
      throw error;
    }
    refusedLogins.accepted(credential);
  };
  const verify = async (credential: Credential, signal: AbortSignal) => {
    let returnPlace: (() => void) | undefined;
    try {
      await logIn(credential, signal).catch(async (error: unknown) => {
        if (isTooMany(error)) returnPlace = await pool.makeRoom(signal);
        if (returnPlace === undefined) throw error;
        await logIn(credential, signal);
      });
    } catch (error) {
      throw probeFailure(name, error);
    } finally {
      returnPlace?.();
    }
  };
  const client = new RotatingClient(where, {
    kind: 'mysql2',
    store,
    recipe,
    returns: 'a pool of mysql2',
    options: settings,
    refusals: true,
    connect: (config: PoolOptions) => credentialOf(mysql, name, config),
    verify,
  });
  const happenings = new Events<PoolEvents>(warnOfListener);
  const pool = createRotatingPool(mysql, client.current, settings, happenings, logIn, refusedLogins);
  happenings.on('refused', ({ error, waiting }) => {
    refusedLogins.retryOthers(client.current);
    client.refused(refusal(name, error), waiting);
  });
  happenings.on('probing', () => client.refreshNow());
  happenings.on('accepted', () => client.accepted());
  happenings.on('ending', () => void client.stop());
  client.follow({
    swap: (credential, _previous, onlyTokens) => pool.swap(credential, keeps(retire, onlyTokens)),
    drained: (credential, signal) => pool.drained(credential, signal),
    close: (credential) => pool.force(credential),
    connections: () => ({ open: pool._allConnections.length, stale: pool.stale().length }),
  });
  return client.expose(pool) as unknown as HotPool;
}
