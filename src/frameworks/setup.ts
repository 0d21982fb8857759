import { type HealthOptions, healthHandler } from '../http/health';
import { type HttpOptions, httpOptions } from '../http/http-handler';
import { reloadHandler } from '../http/reload-handler';
import { statusHandler } from '../http/status/status-handler';
import type { HttpHandler } from '../http/types';
import { callback, ms, type Option, passed, readOptions } from '../internal/options';
import { assertStore } from '../store/assert-store';
import type { SecretStore } from '../store/types';
import { type RotationHook, runHook } from './lifecycle';

/** The options that all frameworks share. Durations are milliseconds. */
export interface FrameworkOptions<V> {
  /** The name of the snapshot on a request, for applications with several stores. Default: `secrets`. */
  readonly as?: string | undefined;
  /** Runs after each rotation. Use it to clear a cache, or to notify a client that is not built with `rotating`. */
  readonly onRotate?: RotationHook<V> | undefined;
  /** The time limit of one run of `onRotate`. Default: 30 000. */
  readonly hookTimeoutMs?: number | undefined;
  /**
   * Serves the status page, `reload`, `ready` and `live` below `/-/secrets`; `authorize` decides who may call the first two.
   * Default: no endpoints.
   */
  readonly endpoints?: EndpointsOptions | undefined;
}

/** Durations are milliseconds. */
export interface EndpointsOptions extends HttpOptions {
  /** The path of the endpoints, below the path of the middleware. Default: `/-/secrets`. */
  readonly basePath?: string | undefined;
  /** When `ready` fails. */
  readonly health?: HealthOptions | undefined;
}

/** Handlers by path, including the base path. */
export type Endpoints = ReadonlyMap<string, HttpHandler>;

export interface FrameworkSetup {
  readonly as: string;
  /** By path; empty when none are served. */
  readonly endpoints: Endpoints;
  /** Stops the hook, for applications that end before their store. */
  readonly stop: () => void;
}

/** What a framework checks before anything follows the store. */
interface TakenChecks {
  assertFree?(as: string): void;
  claim?(endpoints: Endpoints): void;
}

/**
 * Does what all frameworks need: reads the options, creates the endpoints, and runs the hook until the store closes.
 * `assertFree` throws when the framework already uses the name, `claim` when it already serves one of the paths.
 *
 * @throws `OPTION_INVALID`, `OPTION_UNKNOWN`.
 */
export function setUp<V>(
  where: string,
  store: SecretStore<V>,
  options: { readonly [K in keyof FrameworkOptions<V>]: FrameworkOptions<V>[K] | undefined },
  { assertFree, claim }: TakenChecks = {},
): FrameworkSetup {
  assertStore(where, store, ['snapshot', 'on', 'close']);
  const read = readOptions(where, options, {
    as: identifier,
    onRotate: callback<RotationHook<V>>(),
    hookTimeoutMs: ms(30_000, { least: 1 }),
    endpoints: passed<EndpointsOptions>(),
  });
  const { as, onRotate, hookTimeoutMs } = read;
  assertFree?.(as);
  const endpoints = read.endpoints === undefined ? new Map() : createEndpoints(store, read.endpoints, claim);
  const stop = onRotate === undefined ? () => {} : runHook(store, onRotate, hookTimeoutMs);
  return { as, endpoints, stop };
}

/** Returns the path of `request.url`: without the query, which may hold a secret. */
export function pathOf(url: string | undefined): string {
  const end = url?.indexOf('?') ?? -1;
  return url === undefined ? '/' : end < 0 ? url : url.slice(0, end);
}

/**
 * Creates the four endpoints of a store. The status page at the base path and `reload` below it ask `authorize`; `ready` and
 * `live` respond with numbers only and do not.
 *
 * @throws `OPTION_INVALID` (also without `authorize`), `OPTION_UNKNOWN`.
 */
function createEndpoints<V>(
  store: SecretStore<V>,
  options: EndpointsOptions,
  claim: TakenChecks['claim'],
): Endpoints {
  const { basePath, health, ...guarded } = readOptions('endpoints', options, {
    ...httpOptions('endpoints'),
    basePath: path,
    health: passed<HealthOptions>(),
  });
  const reload = reloadHandler(store, guarded);
  const endpoints = new Map([
    [basePath, reload],
    [`${basePath}/`, reload],
    [`${basePath}/reload`, reload],
    [`${basePath}/ready`, healthHandler(store, health)],
    [`${basePath}/live`, healthHandler(store, { probe: 'liveness' })],
  ]);
  claim?.(endpoints);
  // Last, because the page subscribes to the store: a refused call leaves nothing behind.
  const page = statusHandler(store, guarded);
  return endpoints.set(basePath, page).set(`${basePath}/`, page);
}

const identifier: Option<string> = (given = 'secrets', reject) =>
  typeof given === 'string' && /^[A-Za-z_$][\w$]*$/.test(given) ? given : reject('a valid identifier');

const path: Option<string> = (given = '/-/secrets', reject) =>
  typeof given === 'string' && /^(\/[\w.~-]+)+$/.test(given)
    ? given
    : reject('a path that starts with a slash and does not end with one, such as "/-/secrets"');
