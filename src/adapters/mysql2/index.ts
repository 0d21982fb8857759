export {
  type CreatePoolOptions,
  createPool,
  createPromisePool,
  type HotPool,
  type HotPromisePool,
  type PoolRecipe,
  type PoolRotation,
  type PoolRotationEvents,
} from './create-pool';
export type { MysqlModule } from './mysql-internals';
