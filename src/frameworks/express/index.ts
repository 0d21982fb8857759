export { closeWithServer } from '../close-with-server';
export type { EndpointsOptions } from '../endpoints';
export type { RegisteredSnapshot, RegisteredStore } from '../register';
export type { RotationContext, RotationHook } from '../rotation-hook';
export type { FrameworkOptions } from '../setup';
export { attachSecrets, type ExpressApplication } from './attach-secrets';
export { type SecretsMiddleware, secretsMiddleware } from './secrets-middleware';
