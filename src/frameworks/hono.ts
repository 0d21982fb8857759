import type { MiddlewareHandler } from 'hono';
import type { SecretStore, Snapshot } from '../store/types';
import { hasSnapshotOf, RequestSnapshot } from './request-snapshot';
import { type FrameworkOptions, setUp } from './setup';

export { closeWithServer, type RotationContext, type RotationHook } from './lifecycle';
export type { EndpointsOptions, FrameworkOptions } from './setup';

/** What the middleware adds to the variables of a context. */
export type SecretsVariables<V, As extends string = 'secrets'> = { [Name in As]: Snapshot<V> };

/**
 * Gives every context one snapshot, `c.get('secrets')`. It is taken when the request first reads a secret and stays the same
 * throughout, so a rotation in between never mixes generations. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503. A request that holds the snapshot of
 * another store under this name throws `OPTION_INVALID`.
 *
 * Throws `OPTION_INVALID` (also for `endpoints` without `authorize`), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const app = new Hono<{ Variables: SecretsVariables<Values> }>();
 * app.use(secretsMiddleware(secrets));
 * app.get('/pay', (c) => pay(c.get('secrets').reveal('user'), c.get('secrets').reveal('password')));
 * ```
 */
export function secretsMiddleware<V, As extends string = 'secrets'>(
  store: SecretStore<V>,
  options: FrameworkOptions<V> & { readonly as?: As | undefined } = {},
): MiddlewareHandler<{ Variables: SecretsVariables<V, As> }> {
  const { as, endpoints } = setUp('secretsMiddleware', store, options);
  const property = `c.get('${as}')`;

  return async (c, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(c.req.path) : undefined;
    if (endpoint !== undefined) return endpoint(c.req.raw);
    const found: unknown = c.get(as as As);
    if (!hasSnapshotOf(store, property, found)) {
      c.set(as as As, new RequestSnapshot(store) as SecretsVariables<V, As>[As]);
    }
    return next();
  };
}
