export type { EndpointsOptions } from '../endpoints';
export type { RegisteredSnapshot, RegisteredStore } from '../register';
export type { RotationContext, RotationHook } from '../rotation-hook';
export { InjectSecret, InjectSecrets, secretsToken, secretToken } from './inject';
export type {
  DiscoveringStoreOptions,
  ModulePlace,
  OpenedStoreOptions,
  OpeningStoreOptions,
  SecretsModuleAsyncOptions,
} from './options';
export { RequestSecrets } from './request-secrets';
export type { SecretHandle } from './secret-handle';
export { SecretsModule } from './secrets-module';
