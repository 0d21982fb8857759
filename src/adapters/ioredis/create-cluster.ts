import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { SecretsError } from '../../errors';
import { inspectCustom } from '../../internal/builtins';
import { hide } from '../../internal/hidden';
import { passed } from '../../internal/options';
import { peer } from '../../internal/peer';
import type { Typed, TypesMissing } from '../../internal/typed';
import { clientOptions } from '../../rotation/client';
import type { Recipe } from '../../rotation/recipe';
import type { SecretStore } from '../../store/types';
import { type Login, logInAnywhere } from '../redis/login';
import {
  Logins,
  REDIS_OPTIONS,
  type RedisRotation,
  type RedisRotationOptions,
  type Session,
} from '../redis/logins';
import { follower } from './followed-redis';
import { sweepMs } from './holding';
import { type IoredisModule, probe, type Queue, type QueuedCommand, type RedisInternals } from './internals';

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
    endsWithLast: true,
    probe: (login, signal) => probeAny(ioredis, login, signal),
  });
  const { nodes, ...given } = logins.current.options;
  return logins.make('ioredis', () => {
    if (Array.isArray(nodes) && nodes.length > 0)
      return followCluster(ioredis, logins as never, nodes, given);
    const what = `the recipe of the ${settings.name} returned no list of nodes as \`nodes\``;
    throw new SecretsError('RECIPE_FAILED', what, {
      next: "Return the nodes to start with: [{ host: 'cache-0', port: 6379 }].",
    });
  });
}

/** A cluster of ioredis, with the internal parts that are used. */
interface ClusterInternals {
  readonly connectionPool: { redisOptions: unknown };
  /** Commands that wait until the cluster is ready. */
  readonly offlineQueue: Queue;
  readonly subscriber: { getInstance(): RedisInternals | null } | undefined;
}

/** Parts of a cluster in which ioredis keeps a credential. */
const HELD = ['options', 'subscriber', 'shardedSubscribers'] as const;

/** Makes a cluster, and its duplicates, follow the logins. */
function followCluster(
  ioredis: IoredisClusterModule,
  logins: Logins<never, RedisOptions>,
  nodes: ClusterNode[],
  { lazyConnect = false, redisOptions, ...given }: ClusterOptions,
): HotCluster {
  // For the connections with which ioredis subscribes to the channels of shards.
  const nodeOptions = { ...redisOptions };
  const useCurrent = () => {
    const { username, password } = logins.current;
    Object.assign(nodeOptions, username === undefined ? {} : { username }, { password });
  };
  useCurrent();
  // Its own types refuse options that may be undefined.
  const ClusterClass = ioredis.Cluster as unknown as new (start: ClusterNode[], given: object) => Cluster;
  const cluster = new ClusterClass(nodes, { ...given, redisOptions: nodeOptions, lazyConnect: true });
  Object.defineProperty(cluster, inspectCustom, { value: () => `Cluster { status: '${cluster.status}' }` });
  const internals = cluster as unknown as ClusterInternals & Record<string, unknown>;
  for (const field of HELD) if (field in cluster) hide(cluster, field, internals[field]);
  hide(internals.connectionPool, 'redisOptions', internals.connectionPool.redisOptions);
  const follow = follower(ioredis, logins);
  cluster.on('+node', (node: Redis) => {
    const { options: ofNode } = node;
    // A node ends when its connection does, unless it waits for a credential.
    ofNode.retryStrategy ??= () => (logins.refusal === undefined ? null : 50);
    follow(node, true);
  });
  const { duplicate } = cluster;
  cluster.duplicate = ((others: ClusterNode[] = [], more: ClusterOptions = {}) => {
    // Somebody else's credential.
    if (more.redisOptions?.password !== undefined) return duplicate.call(cluster, others, more as never);
    const options = { ...given, lazyConnect, redisOptions, ...more };
    return followCluster(ioredis, logins, others.length > 0 ? others : nodes, options);
  }) as Cluster['duplicate'];
  let giveUp: NodeJS.Timeout | undefined;
  const session: Session<RedisOptions> = {
    login: undefined,
    authenticate() {
      useCurrent();
      const subscriber = internals.subscriber?.getInstance();
      if (subscriber?.status === 'ready') authenticateSubscriber(subscriber, logins.current);
    },
    refused() {
      clearInterval(giveUp);
      const seen = new WeakMap<object, number>();
      giveUp = setInterval(() => rejectLate(internals.offlineQueue, seen, logins), sweepMs(logins.waitMs));
      giveUp.unref();
    },
    accepted: () => clearInterval(giveUp),
    reconnect() {},
  };
  logins.add(session);
  cluster.on('end', () => {
    clearInterval(giveUp);
    logins.remove(session);
  });
  if (!lazyConnect) cluster.connect().catch(() => {});
  return logins.client.expose(cluster) as unknown as HotCluster;
}

/** ioredis keeps them for as long as it cannot connect. */
function rejectLate(
  queue: Queue,
  seen: WeakMap<object, number>,
  { refusal, waitMs }: Pick<Logins<never, RedisOptions>, 'refusal' | 'waitMs'>,
): void {
  const now = performance.now();
  for (let left = queue.length; refusal !== undefined && left > 0; left -= 1) {
    const item = queue.shift() as QueuedCommand;
    const since = seen.get(item) ?? now;
    seen.set(item, since);
    if (now - since < waitMs) queue.push(item);
    else item.command.reject(refusal);
  }
}

/** ioredis makes this connection by itself. When it ends, ioredis makes another one, with the login of a node. */
function authenticateSubscriber(
  subscriber: RedisInternals,
  { username, password }: Login<RedisOptions>,
): void {
  if (subscriber.mode !== 'normal') {
    subscriber.disconnect();
    return;
  }
  const words = username === undefined ? [password] : [username, password];
  subscriber.call('AUTH', ...words).catch(() => subscriber.disconnect());
}

/** Tests a login on the first node that answers. */
function probeAny(
  ioredis: IoredisModule,
  { username, password, options: { nodes, redisOptions } }: Login<ClusterRecipeOptions>,
  signal: AbortSignal,
): Promise<void> {
  return logInAnywhere(nodes, signal, (node, over) => {
    const place =
      typeof node === 'object' ? node : typeof node === 'number' ? { port: node } : { path: node };
    const options = { ...redisOptions, ...place } as RedisOptions;
    return probe(ioredis, { username, password, options }, over);
  });
}
