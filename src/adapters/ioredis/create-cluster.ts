import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { SecretsError } from '../../errors';
import { inspectCustom } from '../../internal/builtins';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { clientOptions } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { type Login, refusalOf } from '../redis/login';
import { Logins, REDIS_OPTIONS, type RedisRotation, type RedisRotationOptions } from '../redis/logins';
import { follower } from './followed-redis';
import { type IoredisModule, probe } from './internals';

/** What the recipe of a cluster returns: the nodes to start with, the credential of all nodes, and the options of a `Cluster`. */
export type ClusterRecipeOptions = ClusterOptions & {
  readonly nodes: ClusterNode[];
  readonly username?: string | undefined;
  readonly password: string;
};

/** Turns a snapshot into the options of a cluster of ioredis. Synchronous; the cluster follows the secrets that it reads. */
export type ClusterRecipe<V> = Recipe<V, ClusterRecipeOptions>;

/** The `ioredis` package, with its cluster. */
export type IoredisClusterModule = IoredisModule & Pick<typeof import('ioredis'), 'Cluster'>;

/** Durations are milliseconds. */
export interface CreateClusterOptions extends RedisRotationOptions {
  /** The `ioredis` package to use instead of the installed one, for bundles and for libraries with a copy of their own. */
  readonly ioredis?: IoredisClusterModule | undefined;
}

/** A cluster of ioredis that follows the rotation of its credential. */
export type HotCluster = Typed<Cluster, TypesMissing<'ioredis'>> & { readonly rotation: RedisRotation };

const IN_RECIPE = ['nodes', 'username', 'password', 'redisOptions', 'clusterRetryStrategy', 'scaleReads'];

/**
 * A `Cluster` of ioredis whose connections follow the secrets that the recipe reads, as those of `createRedis` do. The test
 * login goes to the first of `nodes` that answers.
 *
 * Options: `ioredis`, `name` (default `redis-cluster`), `verifyTimeoutMs`, `authFailureWaitMs`, `drainTimeoutMs`, `retryBaseMs`,
 * `retryMaxMs`.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `PEER_MISSING`, `PEER_UNSUPPORTED`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`. Commands reject with `CREDENTIAL_REFUSED`. Events: `CREDENTIAL_REFUSED`, `VERIFY_FAILED`,
 * `VERIFY_TIMEOUT`, `DRAIN_TIMEOUT`.
 *
 * @example
 * ```ts
 * const cluster = createCluster(secrets, (s) => ({
 *   nodes: [{ host: 'cache-0', port: 6379 }], username: s.reveal('redisUser'), password: s.reveal('redisPassword'),
 * }));
 * await cluster.get('key');
 * ```
 */
export function createCluster<V>(
  store: SecretStore<V>,
  recipe: ClusterRecipe<V>,
  options: CreateClusterOptions = {},
): HotCluster {
  const own = { ioredis: passed<IoredisClusterModule>(), ...REDIS_OPTIONS };
  const settings = clientOptions('createCluster', options, 'redis-cluster', own, IN_RECIPE);
  const ioredis = peer<IoredisClusterModule>('ioredis', ['Redis', 'Command', 'Cluster'], settings.ioredis);
  const logins = new Logins('createCluster', {
    kind: 'ioredis',
    store,
    recipe,
    returns: 'a cluster of ioredis',
    options: settings,
    endsWithLast: false,
    probe: (login, signal) => probeAny(ioredis, login, signal),
  });
  const { username, password, options: given } = logins.current;
  const { nodes, lazyConnect = false, redisOptions, ...rest } = given;
  // For connections to the channels of shards, which ioredis makes by itself.
  const nodeOptions = { ...redisOptions, ...(username === undefined ? {} : { username }), password };
  // Its own types refuse options that may be undefined.
  const ClusterClass = ioredis.Cluster as unknown as new (start: ClusterNode[], given: object) => Cluster;
  const cluster = logins.make('ioredis', () => {
    if (Array.isArray(nodes) && nodes.length > 0) {
      return new ClusterClass(nodes, { ...rest, redisOptions: nodeOptions, lazyConnect: true });
    }
    const what = `the recipe of the ${settings.name} returned no list of nodes as \`nodes\``;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: "Return the nodes to start with: [{ host: 'cache-0', port: 6379 }].",
    });
  });
  Object.defineProperty(cluster, inspectCustom, { value: () => `Cluster { status: '${cluster.status}' }` });
  const follow = follower(ioredis, logins as unknown as Logins<never, RedisOptions>);
  cluster.on('+node', (node: Redis) => {
    const { options: ofNode } = node;
    // A node ends when its connection does, unless it waits for a credential.
    ofNode.retryStrategy ??= () => (logins.refusal === undefined ? null : 50);
    follow(node, true);
  });
  logins.add({
    login: undefined,
    authenticate() {
      Object.assign(nodeOptions, { username: logins.current.username, password: logins.current.password });
    },
    accepted() {},
    refused() {},
    reconnect() {},
  });
  cluster.on('end', () => void logins.stop());
  if (!lazyConnect) cluster.connect().catch(() => {});
  return logins.client.expose(cluster) as unknown as HotCluster;
}

/** Tests a login on the first node that answers. */
async function probeAny(
  ioredis: IoredisModule,
  { username, password, options: { nodes, redisOptions } }: Login<ClusterRecipeOptions>,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown = new Error('no nodes');
  for (const node of nodes) {
    const place =
      typeof node === 'object' ? node : typeof node === 'number' ? { port: node } : { path: node };
    try {
      const options = { ...redisOptions, ...place } as RedisOptions;
      return await probe(ioredis, { username, password, options }, signal);
    } catch (error) {
      if (refusalOf(error) !== undefined || signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}
