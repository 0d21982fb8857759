import type { Redis, RedisOptions } from 'ioredis';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { clientOptions } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { Logins, REDIS_OPTIONS, type RedisRotation, type RedisRotationOptions } from '../redis/logins';
import { follower } from './followed-redis';
import { type IoredisModule, makeRedis, probe } from './internals';

/** What the recipe returns: the options of a client of ioredis, and a `url`, whose parts go before them. */
export type RedisRecipeOptions = RedisOptions & { readonly url?: string | undefined };

/** Turns a snapshot into the options of a client of ioredis. Synchronous; the client follows the secrets that it reads. */
export type RedisRecipe<V> = Recipe<V, RedisRecipeOptions>;

/** Durations are milliseconds. */
export interface CreateRedisOptions extends RedisRotationOptions {
  /** The `ioredis` package to use instead of the installed one, for bundles and for libraries with a copy of their own. */
  readonly ioredis?: IoredisModule | undefined;
}

/** A client of ioredis that follows the rotation of its credential. */
export type HotRedis = Typed<Redis, TypesMissing<'ioredis'>> & { readonly rotation: RedisRotation };

const IN_RECIPE = ['host', 'port', 'path', 'username', 'password', 'db', 'tls', 'sentinels', 'retryStrategy'];

/**
 * A client of ioredis (`instanceof Redis` holds) whose connection follows the secrets that the recipe reads. On rotation, a test
 * login verifies the new credential. Then the open connection authenticates with it, between two commands, and later
 * connections use it. No command runs before the server accepted the login. When the server refuses the
 * current credential (it changed before the file did), commands wait up to `authFailureWaitMs` for the newer one.
 *
 * Every `duplicate()` follows the same secrets, as those that BullMQ makes. Subscribers of RESP2 and monitors, which cannot
 * authenticate, connect again. The next connection uses `tls`, `sentinelTLS` and the login of sentinels of the newest secrets. The
 * first run of the recipe fixes everything else.
 *
 * Options: `ioredis`, `name` (default `redis`), `verifyTimeoutMs`, `authFailureWaitMs`, `drainTimeoutMs`, `retryBaseMs`,
 * `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `PEER_MISSING`, `PEER_UNSUPPORTED`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`. Commands and `connect()` reject with `CREDENTIAL_REFUSED`, and `connect()` with
 * `ROTATION_CLOSED` after the client and its duplicates have ended. Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`,
 * `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const redis = createRedis(secrets, (s) => ({
 *   host: 'cache', username: s.reveal('redisUser'), password: s.reveal('redisPassword'),
 * }));
 * await redis.get('key');
 * ```
 */
export function createRedis<V>(
  store: SecretStore<V>,
  recipe: RedisRecipe<V>,
  options: CreateRedisOptions = {},
): HotRedis {
  const own = { ioredis: passed<IoredisModule>(), ...REDIS_OPTIONS };
  const settings = clientOptions('createRedis', options, 'redis', own, IN_RECIPE);
  const ioredis = peer<IoredisModule>('ioredis', ['Redis', 'Command'], settings.ioredis);
  const logins = new Logins('createRedis', {
    kind: 'ioredis',
    store,
    recipe,
    returns: 'a client of ioredis',
    options: settings,
    endsWithLast: true,
    probe: (login, signal) => probe(ioredis, login, signal),
  }) as unknown as Logins<never, RedisOptions>;
  const follow = follower(ioredis, logins);
  const { lazyConnect = false, ...rest } = logins.current.options;
  return logins.make('ioredis', () =>
    follow(makeRedis(ioredis, { ...rest, lazyConnect: true }), lazyConnect),
  ) as HotRedis;
}
