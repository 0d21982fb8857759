import type { Context, MiddlewareHandler } from 'hono';
import type { SecretStore, Snapshot } from '../store/types';
import { assertApart, endpointsOf, servesEndpoints } from './claims';
import { hasSnapshotOf, RequestSnapshot } from './request-snapshot';
import { type Endpoints, type FrameworkOptions, setUp } from './setup';

export { closeWithServer, type RotationContext, type RotationHook } from './lifecycle';
export type { EndpointsOptions, FrameworkOptions } from './setup';

/** What the middleware adds to the variables of a context. */
export type SecretsVariables<V, As extends string = 'secrets'> = { [Name in As]: Snapshot<V> };

const WHERE = 'secretsMiddleware';

/**
 * Gives every context one snapshot, `c.get('secrets')`. It is taken when the request first reads a secret and stays the same
 * throughout, so a rotation in between never mixes generations. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503. A request that holds the snapshot of
 * another store under this name throws `OPTION_INVALID`, as does each request when two middlewares serve `endpoints` at one
 * path.
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
  const { as, endpoints } = setUp(WHERE, store, options);
  const property = `c.get('${as}')`;
  let conflict: unknown;
  let isChecked = endpoints.size === 0;

  const middleware: MiddlewareHandler<{ Variables: SecretsVariables<V, As> }> = async (c, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(c.req.path) : undefined;
    if (endpoint !== undefined || !isChecked) {
      isChecked = true;
      try {
        for (const other of middlewaresOf(c)) assertApart(WHERE, endpoints, other);
      } catch (error) {
        conflict = error;
      }
    }
    if (conflict !== undefined) throw conflict;
    if (endpoint !== undefined) {
      const answer = await endpoint(c.req.raw);
      // Not this response itself, which would lack the headers that other middlewares have set.
      const headers = Object.fromEntries(answer.headers);
      return c.body((await answer.text()) as never, answer.status as 200, headers);
    }
    const found: unknown = c.get(as as As);
    if (!hasSnapshotOf(store, property, found)) {
      c.set(as as As, new RequestSnapshot(store) as SecretsVariables<V, As>[As]);
    }
    return next();
  };
  return servesEndpoints(middleware, endpoints);
}

/** The endpoints of all middlewares of this package that match a request. */
function middlewaresOf({ req }: Context): Endpoints[] {
  // Hono wraps the middlewares of an application that is mounted with `route`.
  const handlers = req.matchedRoutes.map(
    ({ handler }) => (handler as { readonly __COMPOSED_HANDLER?: unknown }).__COMPOSED_HANDLER ?? handler,
  );
  return handlers.map(endpointsOf).filter((endpoints) => endpoints !== undefined);
}
