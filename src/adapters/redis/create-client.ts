import type { createClient as CreateClient, RedisClientOptions } from 'redis';
import { SecretsError } from '../../errors';
import { oneOf, passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { clientOptions } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { followClient, type Resend } from './followed-client';
import { logInAnywhere } from './login';
import { Logins, REDIS_OPTIONS, type RedisRotation, type RedisRotationOptions } from './logins';
import { type ClientOptions, probe, type RedisModule } from './node-redis';
import { openProvider, type StreamingProvider } from './provider';

/** Turns a snapshot into the options of a client of node-redis. Synchronous; the client follows the secrets that it reads. */
export type ClientRecipe<V> = Recipe<V, ClientOptions>;

/** What the recipe of a provider returns: the credential, and the servers on which each new one is tested. */
export type ProviderRecipeOptions = ClientOptions & {
  /** Servers of a cluster or behind sentinels. The first that answers counts, so that one of them may be down. */
  readonly rootNodes?: readonly Pick<ClientOptions, 'url' | 'socket'>[] | undefined;
};

/** Turns a snapshot into a credential and its servers. Synchronous; the provider follows the secrets that it reads. */
export type ProviderRecipe<V> = Recipe<V, ProviderRecipeOptions>;

/** Durations are milliseconds. */
export interface CredentialsProviderOptions extends RedisRotationOptions {
  /** The `redis` package to use instead of the installed one. */
  readonly redis?: RedisModule | undefined;
}

/** Durations are milliseconds. */
export interface CreateClientOptions extends CredentialsProviderOptions {
  /**
   * Which commands are sent again when their connection breaks before the reply: `reads`, which change nothing; `all`, as
   * ioredis does, so that a write may run twice; `none`, as node-redis does. Default: `reads`.
   */
  readonly resend?: Resend | undefined;
}

/** A client of node-redis that follows the rotation of its credential. */
export type HotClient = Typed<ReturnType<typeof CreateClient>, TypesMissing<'redis'>> & {
  readonly rotation: RedisRotation;
};

/** A `credentialsProvider` of node-redis that follows the rotation of its credential. */
export interface HotCredentialsProvider extends StreamingProvider, AsyncDisposable {
  readonly rotation: RedisRotation;
  /** Stops following the store. Clients keep their connections; new ones fail with `ROTATION_CLOSED`. */
  close(): Promise<void>;
}

const IN_RECIPE = ['url', 'socket', 'username', 'password', 'database', 'RESP', 'commandOptions', 'modules'];

/**
 * A client of node-redis whose connection follows the secrets that the recipe reads. On rotation, a test login verifies the
 * new credential. Then the open connection authenticates with it, between two commands, and later connections use it. No command
 * runs before the server accepted the login. When the server refuses the current credential (it changed before the file
 * did), commands wait up to `authFailureWaitMs` for the newer one.
 *
 * Call `connect()` as usual. It rejects with `CREDENTIAL_REFUSED` if the server refuses the credential for that long. A
 * `duplicate()` follows the same secrets. The first run of the recipe fixes everything but the credential.
 *
 * Options: `redis`, `resend`, `name` (default `redis`), `verifyTimeoutMs`, `authFailureWaitMs`, `drainTimeoutMs`, `retryBaseMs`,
 * `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `PEER_MISSING`, `PEER_UNSUPPORTED`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`. Commands and `connect()` reject with `CREDENTIAL_REFUSED`, and `connect()` with
 * `ROTATION_CLOSED` after the client was closed. Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const client = createClient(secrets, (s) => ({
 *   url: 'redis://cache:6379', username: s.reveal('redisUser'), password: s.reveal('redisPassword'),
 * }));
 * await client.connect();
 * ```
 */
export function createClient<V>(
  store: SecretStore<V>,
  recipe: ClientRecipe<V>,
  options: CreateClientOptions = {},
): HotClient {
  const own = { ...OWN, resend: oneOf<Resend>('reads', 'all', 'none') };
  const settings = clientOptions('createClient', options, 'redis', own, IN_RECIPE);
  const { redis, logins } = follow('createClient', store, recipe, settings, true);
  return logins.make('node-redis', () =>
    followClient(logins, settings.resend, (credentialsProvider) =>
      redis.createClient({ ...logins.current.options, credentialsProvider } as RedisClientOptions),
    ),
  ) as unknown as HotClient;
}

/**
 * A `credentialsProvider` for clients, pools, clusters and sentinels of node-redis that you make yourself. The recipe returns the
 * credential, and the `url` or `socket` of a server, or several as `rootNodes`: each new credential is tested there first. On
 * rotation, every open connection authenticates with the new credential; later connections use it too, after a test login.
 *
 * With `createClient` of this package, a client can do more: it sends refused commands again, reconnects
 * subscribers of RESP2, and ends the wait of `connect()`.
 *
 * Options: `redis`, `name` (default `redis`), `verifyTimeoutMs`, `authFailureWaitMs`, `drainTimeoutMs`, `retryBaseMs`, `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `PEER_MISSING`, `PEER_UNSUPPORTED`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`. Connections fail with `CREDENTIAL_REFUSED` or `ROTATION_CLOSED`, and node-redis retries them.
 * Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`, `VERIFY_TIMEOUT`.
 *
 * @example
 * ```ts
 * const credentials = credentialsProvider(secrets, (s) => ({
 *   url: 'redis://cache:6379', username: s.reveal('redisUser'), password: s.reveal('redisPassword'),
 * }));
 * const cluster = createCluster({ rootNodes: [{ url: 'redis://cache:6379' }], defaults: { credentialsProvider: credentials } });
 * ```
 */
export function credentialsProvider<V>(
  store: SecretStore<V>,
  recipe: ProviderRecipe<V>,
  options: CredentialsProviderOptions = {},
): HotCredentialsProvider {
  const settings = clientOptions('credentialsProvider', options, 'redis', OWN, IN_RECIPE);
  const { logins } = follow('credentialsProvider', store, recipe, settings, false);
  const { url, socket, rootNodes } = logins.current.options as ProviderRecipeOptions;
  const isMissing =
    rootNodes === undefined ? url === undefined && socket === undefined : !(rootNodes.length > 0);
  if (isMissing) {
    void logins.stop();
    const what = `the recipe of the ${settings.name} names no server`;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: 'Return a url, a socket or rootNodes too: a new credential is tested there before clients use it.',
    });
  }
  const provider = Object.assign(openProvider(logins), {
    close: () => logins.stop(),
    [Symbol.asyncDispose]: () => logins.stop(),
  });
  return logins.client.expose(provider) as unknown as HotCredentialsProvider;
}

const OWN = { redis: passed<RedisModule>(), ...REDIS_OPTIONS };

type Settings = ReturnType<typeof clientOptions<typeof OWN>>;

function follow<V>(
  where: string,
  store: SecretStore<V>,
  recipe: ProviderRecipe<V>,
  settings: Settings,
  endsWithLast: boolean,
) {
  const redis = peer<RedisModule>('redis', ['createClient'], settings.redis);
  const logins = new Logins(where, {
    kind: 'redis',
    store,
    recipe,
    returns: 'a client of node-redis',
    options: settings,
    endsWithLast,
    probe({ options, ...login }, signal) {
      const { rootNodes = [{}], ...rest } = options;
      return logInAnywhere(rootNodes, signal, (node, over) =>
        probe(redis, { ...login, options: { ...rest, ...node } }, over),
      );
    },
  });
  return { redis, logins: logins as unknown as Logins<never, ClientOptions> };
}
