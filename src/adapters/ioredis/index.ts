export type { ClientRotationOptions } from '../../rotation/client';
export type { RedisRotation, RedisRotationEvents, RedisRotationOptions } from '../redis/logins';
export {
  type ClusterRecipe,
  type ClusterRecipeOptions,
  type CreateClusterOptions,
  createCluster,
  type HotCluster,
  type IoredisClusterModule,
} from './create-cluster';
export {
  type CreateRedisOptions,
  createRedis,
  type HotRedis,
  type RedisRecipe,
  type RedisRecipeOptions,
} from './create-redis';
export type { IoredisModule } from './internals';
