import type { NodeRequest, NodeResponse } from '../http/types';
import type { SecretStore } from '../store/types';
import { hasSnapshotOf, type RegisteredSnapshot, RequestSnapshot } from './request-snapshot';
import { type FrameworkSetup, pathOf } from './setup';

declare global {
  namespace Express {
    interface Request {
      /** One generation for the whole request, from `attachSecrets` or `secretsMiddleware`. */
      readonly secrets: RegisteredSnapshot;
    }
  }
}

/** A middleware for Express 4 and 5, Connect, Polka, and anything else that calls `(request, response, next)`. */
export type SecretsMiddleware = (request: object, response: object, next: (error?: unknown) => void) => void;

/** Gives each request a snapshot, and serves the endpoints. */
export function snapshotMiddleware<V>(
  store: SecretStore<V>,
  { as, endpoints }: Pick<FrameworkSetup, 'as' | 'endpoints'>,
): SecretsMiddleware {
  const property = `request.${as}`;

  return (request, response, next) => {
    const endpoint = endpoints.size > 0 ? endpoints.get(pathOf((request as NodeRequest).url)) : undefined;
    if (endpoint !== undefined) {
      void endpoint.node(request as NodeRequest, response as NodeResponse);
      return;
    }
    const target = request as Record<string, unknown>;
    try {
      if (!hasSnapshotOf(store, property, target[as])) target[as] = new RequestSnapshot(store);
    } catch (error) {
      next(error);
      return;
    }
    next();
  };
}
