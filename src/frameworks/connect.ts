import type { NodeRequest, NodeResponse } from '../http/types';
import type { SecretStore } from '../store/types';
import { claimAtRequest, prefixOf, servesEndpoints } from './claims';
import { hasSnapshotOf, type RegisteredSnapshot, RequestSnapshot } from './request-snapshot';
import { type Endpoints, type FrameworkSetup, pathOf } from './setup';

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
  where: string,
  store: SecretStore<V>,
  { as, endpoints }: Pick<FrameworkSetup, 'as' | 'endpoints'>,
): SecretsMiddleware {
  const property = `request.${as}`;

  const middleware: SecretsMiddleware = (request, response, next) => {
    const target = request as Record<string, unknown>;
    try {
      if (endpoints.size > 0) {
        const path = pathOf((request as NodeRequest).url);
        claimForRequest(where, request as MountedRequest, path, endpoints);
        const endpoint = endpoints.get(path);
        if (endpoint !== undefined) {
          void endpoint.node(request as NodeRequest, response as NodeResponse);
          return;
        }
      }
      if (!hasSnapshotOf(store, property, target[as])) target[as] = new RequestSnapshot(store);
    } catch (error) {
      next(error);
      return;
    }
    next();
  };
  return servesEndpoints(middleware, endpoints);
}

/** An application of Express, of which only the parts are used that find other middlewares. */
interface Application {
  /** The application that this one is mounted in. */
  readonly parent?: Application;
  /** The router of Express 4. */
  readonly _router?: Router;
  /** The router of Express 5. In Express 4 reading it throws. */
  readonly router?: Router;
}

interface Router {
  readonly stack?: readonly Layer[];
}

interface Layer {
  readonly handle: unknown;
  /** Connect: the path of the layer, empty at the root. */
  readonly route?: unknown;
  /** Express 5: true at the root. */
  readonly slash?: boolean;
  /** Express 4: `fast_slash` at the root. */
  readonly regexp?: { readonly fast_slash?: boolean };
}

type MountedRequest = NodeRequest & { readonly app?: Application };

/** @throws `OPTION_INVALID` when other endpoints of the application have one of the paths. */
export function claimForRequest(
  where: string,
  { app, originalUrl, socket }: MountedRequest,
  path: string,
  endpoints: Endpoints,
): void {
  const application = app === undefined ? serverOf(socket) : rootOf(app);
  // A request that a test made up.
  if (application === undefined) return;
  const prefix = prefixOf(originalUrl === undefined ? undefined : pathOf(originalUrl), path);
  claimAtRequest(where, application, endpoints, prefix, () => middlewaresOf(application));
}

/** The application that all others are mounted in. */
export function rootOf(app: object): object {
  let root = app as Application;
  while (root.parent !== undefined) root = root.parent;
  return root;
}

/** Connect, Polka and Fastify do not name the application in a request, but each has one server. */
function serverOf(socket: NodeRequest['socket'] | undefined): object | undefined {
  return (socket as { readonly server?: object } | undefined)?.server;
}

/** The middlewares at the root of an Express application, or of the Connect applications of a server. */
function* middlewaresOf(
  application: Application & { listeners?(event: string): unknown[] },
): Iterable<unknown> {
  const routers: (Router | undefined)[] =
    'request' in application
      ? [application._router ?? application.router]
      : ((application.listeners?.('request') ?? []) as Router[]);
  for (const layer of routers.flatMap((router) => router?.stack ?? [])) {
    if (layer.slash || layer.regexp?.fast_slash || layer.route === '') yield layer.handle;
  }
}
