export type { AxiosLike } from './axios';
export {
  type Bearer,
  type BearerOptions,
  type BearerRotation,
  bearer,
} from './create-bearer';
export type { HotFetch, HotInit } from './fetch';
export type { GotHooks } from './got';
export type { Credentials, CredentialsRecipe } from './headers';
export type { HotInterceptor } from './undici';
