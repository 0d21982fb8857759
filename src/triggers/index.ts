export { type BasicAuthOptions, basicAuth } from '../http/authorize/basic-auth';
export { type BearerTokenOptions, bearerToken } from '../http/authorize/bearer-token';
export { type QuerySecretOptions, querySecret } from '../http/authorize/query-secret';
export type { HttpBodyOptions, HttpOptions } from '../http/http-handler';
export type {
  Authorize,
  AuthorizeRequest,
  HttpHandler,
  NodeRequest,
  NodeResponse,
  WebRequest,
} from '../http/types';
export { type EventGridOptions, eventGridHandler } from './event-grid/event-grid-handler';
export type { KeyVaultEvent, KeyVaultEventType } from './event-grid/key-vault-event';
export type { TriggerStore } from './refresh-soon';
export { type ReloadOptions, type ReloadStore, reloadHandler } from './reload/reload-handler';
export { reloadOnSignal, type SignalOptions } from './signal';
