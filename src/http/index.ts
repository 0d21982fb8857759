export { type BearerTokenOptions, bearerToken, type JoseModule } from './bearer-token';
export { type EventGridOptions, eventGridHandler } from './event-grid/event-grid-handler';
export type { KeyVaultEvent } from './event-grid/events';
export {
  type HealthHandlerOptions,
  type HealthIndicatorReport,
  type HealthOptions,
  type HealthReport,
  healthCheck,
  healthHandler,
  healthIndicator,
} from './health';
export type { HttpOptions } from './http-handler';
export { type ReloadOptions, reloadHandler } from './reload-handler';
export { type BasicAuthOptions, basicAuth, type QuerySecretOptions, querySecret } from './secret-authorizers';
export { type StatusOptions, statusHandler } from './status/status-handler';
export type {
  ResourceStatus,
  SecretStatus,
  SourceStatus,
  StatusLevel,
  StatusReport,
  StoreStatus,
  TimelineEntry,
} from './status/status-types';
export type {
  Authorizer,
  AuthorizerRequest,
  HttpAnswer,
  HttpHandler,
  NodeRequest,
  NodeResponse,
  WebRequest,
} from './types';
