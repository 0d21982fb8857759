export { type BasicAuthOptions, basicAuth } from '../http/authorize/basic-auth';
export { type QuerySecretOptions, querySecret } from '../http/authorize/query-secret';
export type {
  Authorize,
  AuthorizeRequest,
  HttpHandler,
  NodeRequest,
  NodeResponse,
  WebRequest,
} from '../http/types';
export { type StatusOptions, statusHandler } from './status-handler';
export type { StatusStore } from './status-report';
export type {
  ExpiryStatus,
  ProcessStatus,
  ResourceStatus,
  SecretStatus,
  SourceStatus,
  StatusLevel,
  StatusProblem,
  StatusReport,
  StoreStatus,
  TimelineEntry,
  TimelineKind,
} from './types';
