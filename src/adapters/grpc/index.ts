export type { CredentialsRecipe } from '../bearer/headers';
export { createCallCredentials, type HotCallCredentials } from './call-credentials';
export {
  type CertificateRecipe,
  type ChannelCredentialsOptions,
  createChannelCredentials,
  createServerCredentials,
  type HotChannelCredentials,
  type HotServerCredentials,
  type ServerCredentialsOptions,
} from './certificates';
export type { CertificateOptions } from './material';
export type { CredentialsOptions, CredentialsRotation } from './shared';
