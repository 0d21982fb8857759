export type { RotationContext, RotationHook } from '../lifecycle';
export type { RegisteredSnapshot } from '../request-snapshot';
export type { EndpointsOptions } from '../setup';
export {
  InjectSecret,
  InjectSecrets,
  RequestSecrets,
  type SecretHandle,
  secretsToken,
  secretToken,
} from './inject';
export type {
  DiscoveringStoreOptions,
  ModulePlace,
  OpenedStoreOptions,
  OpeningStoreOptions,
  SecretsModuleAsyncOptions,
} from './options';
export { SecretsModule } from './secrets-module';
