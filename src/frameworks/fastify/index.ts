export type { EndpointsOptions } from '../endpoints';
export type { RegisteredSnapshot, RegisteredStore } from '../register';
export type { RotationContext, RotationHook } from '../rotation-hook';
export type { FrameworkOptions } from '../setup';
export { type HotSecretsOptions, type HotSecretsPlugin, hotSecrets } from './plugin';
