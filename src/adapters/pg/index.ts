export type {
  BasicPool,
  BasicPoolClient,
  BasicPoolConfig,
  BasicQuery,
  BasicResult,
} from './basic-types';
export {
  type CreatePoolOptions,
  createPool,
  type HotPool,
  type PoolRecipe,
  type PoolRotation,
  type PoolRotationEvents,
} from './create-pool';
export type { PgModule } from './pg-internals';
