import { SecretsError } from '../errors';
import type { ClosableStore } from '../http/http-handler';
import { assertNumber, rejectUnknownOptions } from '../internal/options';
import type { SecretStore, StoreHealth } from '../store/types';

/** Durations are milliseconds. */
export interface HealthOptions {
  /**
   * What a source without a good look for longer than its bound means: `degrade` (it is said, and the check passes: last
   * good values serve, and a pod that restarts has none) or `fail`. Default: `degrade`.
   */
  readonly stale?: 'degrade' | 'fail';
  /** From this age of the last good look on a source counts as stale. Default: each source's own bound. */
  readonly maxStalenessMs?: number;
}

/** What a check needs of a store. */
export type HealthStore = Pick<SecretStore<unknown>, 'health' | 'name'> & ClosableStore;

// A type, not an interface: it has to fit where a record of unknown values is asked for, as by @fastify/under-pressure.
export type HealthReport = {
  /** False when the check fails: `stale` with `stale: 'fail'`, or `closed`. */
  readonly healthy: boolean;
  readonly status: StoreHealth['status'] | 'closed';
  readonly generation: number;
  /** Since the last good look at the source that had none for the longest time; `undefined` where none goes stale. */
  readonly stalenessMs: number | undefined;
};

export const HEALTH_OPTIONS: readonly string[] = ['stale', 'maxStalenessMs'];

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID`, while that can still keep the process from starting. */
export function checkedHealthOptions(
  where: string,
  options: HealthOptions,
  own: readonly string[] = [],
): HealthOptions {
  rejectUnknownOptions(where, options, [...HEALTH_OPTIONS, ...own]);
  const { stale = 'degrade', maxStalenessMs } = options;
  if (stale !== 'degrade' && stale !== 'fail') {
    throw new SecretsError('OPTION_INVALID', `stale of ${where} is neither "degrade" nor "fail"`);
  }
  if (maxStalenessMs !== undefined) assertNumber(where, 'maxStalenessMs', maxStalenessMs);
  return options;
}

/** The health of a store as a probe wants it: numbers and one word. */
export function healthReport(store: HealthStore, { stale, maxStalenessMs }: HealthOptions): HealthReport {
  const { status: own, generation, sources } = store.health();
  // The environment is read once: the age of that says nothing.
  const looked = sources.filter(
    ({ maxStalenessMs: own = Number.POSITIVE_INFINITY }) => own < Number.POSITIVE_INFINITY,
  );
  const ages = looked.flatMap(({ lastRefreshAgeMs }) =>
    lastRefreshAgeMs === undefined ? [] : [lastRefreshAgeMs],
  );
  const stalenessMs = ages.length === 0 ? undefined : Math.max(...ages);
  const isStale =
    maxStalenessMs === undefined
      ? own === 'stale'
      : stalenessMs !== undefined && stalenessMs > maxStalenessMs;
  // With a bound of the caller's, what a source calls stale by its own is something that needs attention.
  const status = isStale ? 'stale' : own === 'stale' ? 'degraded' : own;
  return { healthy: !(isStale && stale === 'fail'), status, generation, stalenessMs };
}

/**
 * A check for `@godaddy/terminus`, `@fastify/under-pressure` and whatever else calls a function: resolves with the report,
 * rejects when the check fails.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`; what it returns rejects with `STORE_STALE` and `STORE_CLOSED`.
 *
 * @example
 * ```ts
 * createTerminus(server, { healthChecks: { '/healthz': healthCheck(secrets, { stale: 'fail' }) } });
 * ```
 */
export function healthCheck(store: HealthStore, options: HealthOptions = {}): () => Promise<HealthReport> {
  const checked = checkedHealthOptions('healthCheck', options);
  return async () => {
    store.snapshot();
    const report = healthReport(store, checked);
    if (report.healthy) return report;
    const what = `no good look at a source of ${store.name} for ${Math.round(report.stalenessMs ?? 0)} ms`;
    throw new SecretsError('STORE_STALE', what, {
      next: 'The last good values keep serving; health() names the source.',
    });
  };
}
