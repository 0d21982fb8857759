export type { ClientRotationOptions } from '../../rotation/client';
export {
  type ClientRecipe,
  type CreateClientOptions,
  type CredentialsProviderOptions,
  createClient,
  credentialsProvider,
  type HotClient,
  type HotCredentialsProvider,
  type ProviderRecipe,
  type ProviderRecipeOptions,
} from './create-client';
export type { Resend } from './followed-client';
export type { RedisRotation, RedisRotationEvents, RedisRotationOptions } from './logins';
export type { ClientOptions, RedisModule } from './node-redis';
export type { StreamingProvider } from './provider';
