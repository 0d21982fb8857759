import { SecretsError } from '../errors';
import type { NodeRequest, NodeResponse } from '../http/types';
import type { SecretStore } from '../store/types';
import { assertUncontested, claimPaths } from './claims';
import { rootOf, type SecretsMiddleware, snapshotMiddleware } from './connect';
import { RequestSnapshot } from './request-snapshot';
import { type Endpoints, type FrameworkOptions, pathOf, setUp } from './setup';

export type { SecretsMiddleware } from './connect';
export { closeWithServer, type RotationContext, type RotationHook } from './lifecycle';
export type { RegisteredSnapshot } from './request-snapshot';
export type { EndpointsOptions, FrameworkOptions } from './setup';

/** The parts of an Express 4 or 5 application that `attachSecrets` needs. */
export interface ExpressApplication {
  /** The prototype of its requests. */
  readonly request: object;
  use(path: string, handler: (request: never, response: never, next: () => void) => void): unknown;
}

/**
 * Gives every request of an application one snapshot, `req.secrets`. It is taken when the request first reads a secret and
 * stays the same throughout, so a rotation in between never mixes generations. It is a getter on the prototype of the
 * requests instead of a middleware, so that requests that read no secret cost nothing; mounted applications have it too.
 *
 * Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`. A request that first reads a secret after the store was closed
 * gets an error with status 503.
 *
 * Throws `OPTION_INVALID` (also for a name or a path of `endpoints` that is taken, and for `endpoints` without `authorize`),
 * `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * attachSecrets(app, secrets);
 * app.get('/pay', (req, res) => pay(req.secrets.reveal('user'), req.secrets.reveal('password')));
 * ```
 */
export function attachSecrets<V>(
  app: ExpressApplication,
  store: SecretStore<V>,
  options: FrameworkOptions<V> = {},
): void {
  const where = 'attachSecrets';
  if (typeof app?.request !== 'object' || typeof app.use !== 'function') {
    throw new SecretsError('OPTION_INVALID', `${where}: the first argument must be an Express application`, {
      next: 'Pass what express() returns. For a router or another framework, use secretsMiddleware.',
    });
  }
  const { as, endpoints } = setUp(where, store, options, {
    assertFree: (name) => {
      if (!(name in app.request)) return;
      throw new SecretsError('OPTION_INVALID', `${where}: request.${name} is already taken`, {
        next: "Attach each store once, and give a second one its own name: { as: 'billing' }.",
      });
    },
    claim: (paths) => claimInExpress(where, app, paths),
  });
  // Not a property of the request: Express changes the prototype of each request, after which adding one is slow.
  const snapshots = new WeakMap<object, RequestSnapshot<V>>();
  Object.defineProperty(app.request, as, {
    configurable: true,
    get(this: object) {
      let snapshot = snapshots.get(this);
      if (snapshot === undefined) {
        snapshot = new RequestSnapshot(store);
        snapshots.set(this, snapshot);
      }
      return snapshot;
    },
  });
  const [basePath] = endpoints.keys();
  if (basePath === undefined) return;
  app.use(basePath, (request: NodeRequest, response: NodeResponse, next) => {
    const path = pathOf(request.url);
    const endpoint = endpoints.get(path === '/' ? basePath : basePath + path);
    if (endpoint === undefined) return next();
    // A middleware below may serve the same path, which only requests to it show.
    assertUncontested(rootOf(app), endpoints);
    void endpoint.node(request, response);
  });
}

/** The parts of an Express application that tell where it is mounted. */
interface MountedApplication {
  readonly parent?: object;
  path?(): string;
  on?(event: 'mount', listener: () => void): unknown;
}

/**
 * Claims the paths now, and again when the application is mounted in another.
 *
 * @throws `OPTION_INVALID` when other endpoints have one of the paths.
 */
function claimInExpress(where: string, app: ExpressApplication & MountedApplication, endpoints: Endpoints) {
  const claim = () => claimPaths(where, rootOf(app), endpoints, app.parent && app.path?.());
  claim();
  app.on?.('mount', claim);
}

/**
 * Gives every request one snapshot, `req.secrets`. It is taken when the request first reads a secret and stays the same
 * throughout, so a rotation in between never mixes generations. For routers, Connect and Polka; in an Express application,
 * `attachSecrets` does the same and costs less. Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed gets an error with status 503. A request that holds the
 * snapshot of another store under this name gets `OPTION_INVALID`, as does each request when two middlewares serve
 * `endpoints` at one path.
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
  const where = 'secretsMiddleware';
  return snapshotMiddleware(where, store, setUp(where, store, options));
}
