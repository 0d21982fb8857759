export { type BearerTokenOptions, bearerToken } from './authorize/bearer-token';
export { type QuerySecretOptions, querySecret } from './authorize/query-secret';
export { type EventGridOptions, eventGridHandler } from './event-grid/event-grid-handler';
export type { KeyVaultEvent, KeyVaultEventType } from './event-grid/key-vault-event';
export type { HttpOptions } from './http/http-handler';
export type {
  Authorize,
  AuthorizeRequest,
  HttpHandler,
  NodeRequest,
  NodeResponse,
  WebRequest,
} from './http/types';
export type { TriggerStore } from './refresh-soon';
