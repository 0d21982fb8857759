export type { ClientRotationOptions } from '../../rotation/client';
export type { RedisRotation, RedisRotationEvents, RedisRotationOptions } from '../redis/logins';
export { type CreateRedisOptions, createRedis, type HotRedis, type RedisRecipe } from './create-redis';
export type { IoredisModule } from './internals';
