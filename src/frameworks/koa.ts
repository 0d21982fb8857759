import type { DefaultState, Middleware } from 'koa';
import type { SecretStore, Snapshot } from '../store/types';
import { claimAtRequest, prefixOf, servesEndpoints } from './claims';
import { hasSnapshotOf, RequestSnapshot } from './request-snapshot';
import { type FrameworkOptions, pathOf, setUp } from './setup';

export { closeWithServer, type RotationContext, type RotationHook } from './lifecycle';
export type { EndpointsOptions, FrameworkOptions } from './setup';

/** What the middleware adds to a context. */
export type SecretsContext<V, As extends string = 'secrets'> = { readonly [Name in As]: Snapshot<V> };

const WHERE = 'secretsMiddleware';

/**
 * Gives every context one snapshot, `ctx.secrets`. It is taken when the request first reads a secret and stays the same
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
 * const app = new Koa().use(secretsMiddleware(secrets));
 * app.use((ctx) => pay(ctx.secrets.reveal('user'), ctx.secrets.reveal('password')));
 * ```
 */
export function secretsMiddleware<V, As extends string = 'secrets'>(
  store: SecretStore<V>,
  options: FrameworkOptions<V> & { readonly as?: As | undefined } = {},
): Middleware<DefaultState, SecretsContext<V, As>> {
  const { as, endpoints } = setUp(WHERE, store, options);
  const property = `ctx.${as}`;

  const middleware: Middleware<DefaultState, SecretsContext<V, As>> = async (ctx, next) => {
    if (endpoints.size > 0) {
      const prefix = prefixOf(pathOf(ctx.originalUrl), ctx.path);
      claimAtRequest(WHERE, ctx.app, endpoints, prefix, () => ctx.app.middleware);
      const endpoint = endpoints.get(ctx.path);
      if (endpoint !== undefined) {
        const { status, headers, body } = await endpoint.answer(ctx.req);
        ctx.status = status;
        ctx.set(headers);
        ctx.body = body;
        return;
      }
    }
    const target = ctx as unknown as Record<string, unknown>;
    if (!hasSnapshotOf(store, property, target[as])) target[as] = new RequestSnapshot(store);
    return next();
  };
  return servesEndpoints(middleware, endpoints);
}
