export { closeWithServer } from '../close-with-server';
export type { EndpointsOptions } from '../endpoints';
export type { RotationContext, RotationHook } from '../rotation-hook';
export type { FrameworkOptions } from '../setup';
export { type SecretsContext, secretsMiddleware } from './secrets-middleware';
