import { isSecretsError } from '../errors';
import { checkedHealthOptions, type HealthOptions, type HealthStore, healthCheck } from './check-health';

/** What `@nestjs/terminus` takes from an indicator. */
export type HealthIndicatorReport<Key extends string> = {
  readonly [K in Key]: { readonly status: 'up' | 'down' } & Readonly<Record<string, string | number>>;
};

/**
 * An indicator for `HealthCheckService.check` of `@nestjs/terminus`.
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
  store: HealthStore,
  key: Key = 'secrets' as Key,
  options: HealthOptions = {},
): () => Promise<HealthIndicatorReport<Key>> {
  const check = healthCheck(store, checkedHealthOptions('healthIndicator', options));
  return async () => {
    const result = await check().then(
      ({ status, generation }) => ({ status: 'up', store: status, generation }),
      (error: unknown) => ({ status: 'down', code: isSecretsError(error) ? error.code : 'SOURCE_FAILED' }),
    );
    return { [key]: result } as unknown as HealthIndicatorReport<Key>;
  };
}
