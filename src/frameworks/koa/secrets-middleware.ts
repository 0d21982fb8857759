import type { DefaultState, Middleware } from 'koa';
import type { SecretStore, Snapshot } from '../../store/types';
import { hasSnapshotOf, RequestSnapshot } from '../request-snapshot';
import { type FrameworkOptions, setUp } from '../setup';

/** What the middleware adds to a context. */
export type SecretsContext<V, As extends string = 'secrets'> = { readonly [Name in As]: Snapshot<V> };

/**
 * Gives every context one snapshot, `ctx.secrets`: taken when the request first reads a secret, the same one to its end, so
 * that a rotation in between mixes nothing. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503; one that finds another store's
 * snapshot under its name throws `OPTION_INVALID`.
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
  options: FrameworkOptions<V> & { readonly as?: As } = {},
): Middleware<DefaultState, SecretsContext<V, As>> {
  const { as, endpoints } = setUp('secretsMiddleware', store, options);
  const place = `ctx.${as}`;

  return async (ctx, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(ctx.path) : undefined;
    if (endpoint !== undefined) {
      // The endpoint answers by itself, and Koa is not to answer once more.
      ctx.respond = false;
      return endpoint.node(ctx.req, ctx.res);
    }
    const bag = ctx as unknown as Record<string, unknown>;
    if (!hasSnapshotOf(store, place, bag[as])) bag[as] = new RequestSnapshot(store);
    return next();
  };
}
