export {
  type CreatePoolOptions,
  createPool,
  type HotPool,
  type PoolRotation,
  type PoolRotationEvents,
} from './create-pool';
export type { PgModule } from './pg-internals';
export type { PoolRecipe } from './recipe';
