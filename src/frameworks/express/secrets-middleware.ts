import type { NodeRequest, NodeResponse } from '../../http/types';
import type { SecretStore } from '../../store/types';
import { pathOf } from '../endpoints';
import type { RegisteredSnapshot } from '../register';
import { hasSnapshotOf, RequestSnapshot } from '../request-snapshot';
import { type FrameworkOptions, setUp } from '../setup';

declare global {
  namespace Express {
    interface Request {
      /** One generation for the whole request, by `attachSecrets` or `secretsMiddleware`. */
      readonly secrets: RegisteredSnapshot;
    }
  }
}

/** A middleware of Express 4 and 5, Connect, Polka, or anything that calls `(request, response, next)`. */
export type SecretsMiddleware = (request: object, response: object, next: (error?: unknown) => void) => void;

/**
 * Gives every request one snapshot, `req.secrets`: taken when the request first reads a secret, the same one to its end, so
 * that a rotation in between mixes nothing. For routers, Connect and Polka; in an application of Express, `attachSecrets`
 * does the same and costs less. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed gets an error with status 503; one that finds another
 * store's snapshot under its name gets `OPTION_INVALID`.
 *
 * Throws `OPTION_INVALID` (also for `endpoints` without `authorize`), `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * app.use(secretsMiddleware(secrets));
 * app.get('/pay', (req, res) => pay(req.secrets.reveal('user'), req.secrets.reveal('password')));
 * ```
 */
export function secretsMiddleware<V>(
  store: SecretStore<V>,
  options: FrameworkOptions<V> = {},
): SecretsMiddleware {
  const { as, endpoints } = setUp('secretsMiddleware', store, options);
  const place = `request.${as}`;

  return (request, response, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(pathOf((request as NodeRequest).url)) : undefined;
    if (endpoint !== undefined) {
      void endpoint.node(request as NodeRequest, response as NodeResponse);
      return;
    }
    const bag = request as Record<string, unknown>;
    try {
      if (!hasSnapshotOf(store, place, bag[as])) bag[as] = new RequestSnapshot(store);
    } catch (error) {
      next(error);
      return;
    }
    next();
  };
}
