import type { DefaultState, Middleware } from 'koa';
import type { SecretStore, Snapshot } from '../store/types';
import { hasSnapshotOf, RequestSnapshot } from './request-snapshot';
import { type FrameworkOptions, setUp } from './setup';

export { closeWithServer, type RotationContext, type RotationHook } from './lifecycle';
export type { EndpointsOptions, FrameworkOptions } from './setup';

/** What the middleware adds to a context. */
export type SecretsContext<V, As extends string = 'secrets'> = { readonly [Name in As]: Snapshot<V> };

/**
 * Gives every context one snapshot, `ctx.secrets`. It is taken when the request first reads a secret and stays the same
 * throughout, so a rotation in between never mixes generations. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503. A request that holds the snapshot of
 * another store under this name throws `OPTION_INVALID`.
 *
 * Throws `OPTION_INVALID` (also for `endpoints` without `authorize`), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * const app = new Koa().use(secretsMiddleware(secrets));
 * app.use((ctx) => pay(ctx.secrets.reveal('user'), ctx.secrets.reveal('password')));
 * ```
 */
export function secretsMiddleware<V, As extends string = 'secrets'>(
  store: SecretStore<V>,
  options: FrameworkOptions<V> & { readonly as?: As | undefined } = {},
): Middleware<DefaultState, SecretsContext<V, As>> {
  const { as, endpoints } = setUp('secretsMiddleware', store, options);
  const property = `ctx.${as}`;

  return async (ctx, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(ctx.path) : undefined;
    if (endpoint !== undefined) {
      // The endpoint sends the response itself, so Koa must not.
      ctx.respond = false;
      return endpoint.node(ctx.req, ctx.res);
    }
    const target = ctx as unknown as Record<string, unknown>;
    if (!hasSnapshotOf(store, property, target[as])) target[as] = new RequestSnapshot(store);
    return next();
  };
}
