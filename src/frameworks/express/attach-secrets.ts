import { SecretsError } from '../../errors';
import type { NodeRequest, NodeResponse } from '../../http/types';
import type { SecretStore } from '../../store/types';
import { pathOf } from '../endpoints';
import { RequestSnapshot } from '../request-snapshot';
import { type FrameworkOptions, setUp } from '../setup';

/** What is needed of an application of Express 4 or 5. */
export interface ExpressApplication {
  /** The prototype of its requests. */
  readonly request: object;
  use(path: string, handler: (request: never, response: never, next: () => void) => void): unknown;
}

const WHERE = 'attachSecrets';

/**
 * Gives every request of an application one snapshot, `req.secrets`: taken when the request first reads a secret, the same
 * one to its end, so that a rotation in between mixes nothing. It is a getter on the prototype of the requests and no
 * middleware, so that a request pays nothing before it reads; also in the applications that are mounted in this one.
 *
 * Options: `as`, `onRotate`, `hookTimeoutMs`, `endpoints`. A request that first reads a secret after the store was closed
 * gets an error with status 503.
 *
 * Throws `OPTION_INVALID` (also for a name that is taken, and for `endpoints` without `authorize`), `OPTION_UNKNOWN`.
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
  if (typeof app?.request !== 'object' || typeof app.use !== 'function') {
    throw new SecretsError('OPTION_INVALID', `${WHERE} was given no application of Express`, {
      next: 'Give what express() returns; a router, or another framework, takes secretsMiddleware.',
    });
  }
  const { as = 'secrets' } = options;
  if (as in app.request) {
    throw new SecretsError('OPTION_INVALID', `${WHERE} finds request.${as} taken`, {
      next: "Attach each store once; give a second one a name of its own: { as: 'billing' }.",
    });
  }
  const { endpoints } = setUp(WHERE, store, options);
  // Not a property of the request: Express changes the prototype of each one, and what is added to such an object is slow.
  const taken = new WeakMap<object, RequestSnapshot<V>>();
  Object.defineProperty(app.request, as, {
    configurable: true,
    get(this: object) {
      let snapshot = taken.get(this);
      if (snapshot === undefined) {
        snapshot = new RequestSnapshot(store);
        taken.set(this, snapshot);
      }
      return snapshot;
    },
  });
  const [basePath] = endpoints.keys();
  if (basePath === undefined) return;
  app.use(basePath, (request: NodeRequest, response: NodeResponse, next) => {
    const path = pathOf(request.url);
    const endpoint = endpoints.get(path === '/' ? basePath : basePath + path);
    if (endpoint === undefined) next();
    else void endpoint.node(request, response);
  });
}
