import { isSecretsError, SecretsError } from '../errors';
import { ms, oneOf, readOptions, text } from '../internal/options';
import { assertStore } from '../store/assert-store';
import type { SecretStore, StoreHealth } from '../store/types';
import { httpHandler } from './http-handler';
import type { Answer, HttpHandler } from './types';

/** Durations are milliseconds. */
export interface HealthOptions {
  /**
   * What happens when a source has not been read within its limit. `degrade`: the report says `stale` and the check passes,
   * because the last good values keep serving and a restarted pod would have none. `fail`: the check fails. Default:
   * `degrade`.
   */
  readonly stale?: 'degrade' | 'fail' | undefined;
  /** A source is stale when its last successful read is older than this. Default: the limit of each source. */
  readonly maxStalenessMs?: number | undefined;
}

export interface HealthHandlerOptions extends HealthOptions {
  /**
   * `readiness`: fails while the store is closed and, with `stale: 'fail'`, while it is stale. `liveness`: passes as long as
   * the process responds, unless `stale` is `fail`: a restart brings no newer secrets, and loses the last good values.
   * Default: `readiness`.
   */
  readonly probe?: 'readiness' | 'liveness' | undefined;
}

// A type, because @fastify/under-pressure requires a record of unknown values, which an interface is not.
/** The body of a health response: numbers only. */
export type HealthReport = {
  /** False when the check fails: `stale` with `stale: 'fail'`, or `closed`. */
  readonly healthy: boolean;
  readonly status: StoreHealth['status'] | 'closed';
  readonly generation: number;
  /** The age of the oldest last successful read of all sources; `undefined` when no source can become stale. */
  readonly stalenessMs: number | undefined;
};

/** The shape that `@nestjs/terminus` expects from an indicator. */
export type HealthIndicatorReport<Key extends string> = {
  readonly [K in Key]: { readonly status: 'up' | 'down' } & Readonly<Record<string, string | number>>;
};

type CheckedStore = Pick<SecretStore<unknown>, 'health' | 'name'> & { snapshot(): unknown };

const healthOptions = {
  stale: oneOf<'degrade' | 'fail'>('degrade', 'fail'),
  maxStalenessMs: ms(),
};

type ReadHealthOptions = { readonly stale: 'degrade' | 'fail'; readonly maxStalenessMs: number | undefined };

/**
 * An endpoint for the probes of Kubernetes and of load balancers. It responds with one word and numbers, never with names or
 * values, and so needs no authorizer: `{ healthy, status, generation, stalenessMs }` with 200 or 503. `statusHandler`
 * responds with names and reasons.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const ready = healthHandler(secrets, { stale: 'fail', maxStalenessMs: 300_000 });
 * const live = healthHandler(secrets, { probe: 'liveness' });
 * app.get('/readyz', ready.node);
 * app.get('/livez', live.node);
 * ```
 */
export function healthHandler(store: CheckedStore, options: HealthHandlerOptions = {}): HttpHandler {
  const where = 'healthHandler';
  assertStore(where, store, ['health', 'snapshot']);
  const { probe, ...read } = readOptions(where, options, {
    ...healthOptions,
    probe: oneOf<'readiness' | 'liveness'>('readiness', 'liveness'),
  });

  function respond(): Answer {
    const report = { ...healthReport(store, read), ...closedReport() };
    return { status: report.healthy ? 200 : 503, body: report };
  }

  /** A store closes when its process ends, which is not a reason to kill the process early. */
  function closedReport(): Partial<HealthReport> {
    try {
      store.snapshot();
      return {};
    } catch (error) {
      if (!isSecretsError(error, 'STORE_CLOSED')) throw error;
      return { healthy: probe === 'liveness', status: 'closed' };
    }
  }

  return httpHandler({ where, methods: ['GET', 'HEAD'], authorize: 'anybody', respond });
}

/**
 * A check for `@godaddy/terminus`, `@fastify/under-pressure` and anything else that calls a function: it resolves with the
 * report, and rejects when the check fails.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`; the function that it returns rejects with `STORE_STALE` and `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * createTerminus(server, { healthChecks: { '/healthz': healthCheck(secrets, { stale: 'fail' }) } });
 * ```
 */
export function healthCheck(store: CheckedStore, options: HealthOptions = {}): () => Promise<HealthReport> {
  return checkOf('healthCheck', store, options);
}

/**
 * An indicator for `HealthCheckService.check` of `@nestjs/terminus`. `key` names it in the result.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const indicator = healthIndicator(secrets, 'secrets');
 * const result = await indicator();   // in a controller: this.health.check([indicator])
 * ```
 */
export function healthIndicator<Key extends string = 'secrets'>(
  store: CheckedStore,
  key: Key = 'secrets' as Key,
  options: HealthOptions = {},
): () => Promise<HealthIndicatorReport<Key>> {
  const where = 'healthIndicator';
  const check = checkOf(where, store, options);
  readOptions(where, { key }, { key: text('secrets') });
  return async () => {
    const result = await check().then(
      ({ status, generation }) => ({ status: 'up', store: status, generation }),
      (error: unknown) => ({ status: 'down', code: isSecretsError(error) ? error.code : 'SOURCE_FAILED' }),
    );
    return { [key]: result } as unknown as HealthIndicatorReport<Key>;
  };
}

function checkOf(where: string, store: CheckedStore, options: HealthOptions): () => Promise<HealthReport> {
  assertStore(where, store, ['health', 'snapshot']);
  const read = readOptions(where, options, healthOptions);
  return async () => {
    // Throws when the store is closed.
    store.snapshot();
    const report = healthReport(store, read);
    if (report.healthy) return report;
    const age = Math.round(report.stalenessMs ?? 0);
    throw new SecretsError('STORE_STALE', `a source of ${store.name} was last read ${age} ms ago`, {
      next: 'The last good values keep serving; health() names the source.',
    });
  };
}

/** Reduces the health of a store to what a probe needs: one word and numbers. */
function healthReport(store: CheckedStore, { stale, maxStalenessMs }: ReadHealthOptions): HealthReport {
  const { status: own, generation, sources } = store.health();
  // A source without a limit is read once, such as the environment: its age says nothing.
  const ages = sources
    .filter(({ maxStalenessMs: limit = Number.POSITIVE_INFINITY }) => limit < Number.POSITIVE_INFINITY)
    .map(({ lastRefreshAgeMs }) => lastRefreshAgeMs)
    .filter((age) => age !== undefined);
  const stalenessMs = ages.length === 0 ? undefined : Math.max(...ages);
  const isStale =
    maxStalenessMs === undefined
      ? own === 'stale'
      : stalenessMs !== undefined && stalenessMs > maxStalenessMs;
  // When the caller's limit decides, a source that is stale by its own limit only degrades.
  const status = isStale ? 'stale' : own === 'stale' ? 'degraded' : own;
  return { healthy: !(isStale && stale === 'fail'), status, generation, stalenessMs };
}
