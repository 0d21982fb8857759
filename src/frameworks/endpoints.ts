import { SecretsError } from '../errors';
import type { HealthOptions } from '../health/check-health';
import { healthHandler } from '../health/health-handler';
import { checkedAuthorize, HTTP_OPTIONS, type HttpOptions } from '../http/http-handler';
import type { HttpHandler } from '../http/types';
import { rejectUnknownOptions } from '../internal/options';
import { statusHandler } from '../status/status-handler';
import type { SecretStore } from '../store/types';
import { reloadHandler } from '../triggers/reload/reload-handler';

/** Durations are milliseconds. */
export interface EndpointsOptions extends HttpOptions {
  /** Where they are, below the place of the middleware. Default: `/-/secrets`. */
  readonly basePath?: string;
  /** What `ready` fails for. */
  readonly health?: HealthOptions;
}

/** Handlers by path, the base path included. */
export type Endpoints = ReadonlyMap<string, HttpHandler>;

const WHERE = 'endpoints';

/**
 * The four endpoints of a store: the status page at the base path and `reload` below it ask `authorize`; `ready` and `live`,
 * which say numbers only, do not.
 *
 * @throws `OPTION_INVALID` (also without `authorize`), `OPTION_UNKNOWN`.
 */
export function endpoints<V>(store: SecretStore<V>, options: EndpointsOptions): Endpoints {
  rejectUnknownOptions(WHERE, options, [...HTTP_OPTIONS, 'basePath', 'health']);
  const { basePath = '/-/secrets', health = {}, requestTimeoutMs } = options;
  const authorize = checkedAuthorize(WHERE, options.authorize);
  if (typeof basePath !== 'string' || !/^(\/[\w.~-]+)+$/.test(basePath)) {
    throw new SecretsError('OPTION_INVALID', `basePath of ${WHERE} is no path`, {
      next: 'It begins with a slash and does not end with one: "/-/secrets".',
    });
  }
  const guarded = { authorize, ...(requestTimeoutMs !== undefined && { requestTimeoutMs }) };
  const page = statusHandler(store, guarded);
  return new Map([
    [basePath, page],
    [`${basePath}/`, page],
    [`${basePath}/reload`, reloadHandler(store, guarded)],
    [`${basePath}/ready`, healthHandler(store, health)],
    [`${basePath}/live`, healthHandler(store, { probe: 'liveness' })],
  ]);
}

/** The path of a url in the form of `request.url`: no host, and no query, which may hold a secret. */
export function pathOf(url: string | undefined): string {
  const end = url?.indexOf('?') ?? -1;
  return url === undefined ? '/' : end < 0 ? url : url.slice(0, end);
}
