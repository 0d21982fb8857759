export {
  type CreatePoolOptions,
  createPool,
  type HotPool,
  type PoolRecipe,
  type PoolRotation,
  type PoolRotationEvents,
} from './create-pool';
export type { PgModule } from './pg-internals';
