import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { SecretsError } from '../../errors';
import type { SecretStore } from '../../store/types';
import type { Endpoints } from '../endpoints';
import type { RegisteredSnapshot, RegisteredStore } from '../register';
import { RequestSnapshot } from '../request-snapshot';
import { type FrameworkOptions, setUp } from '../setup';

declare module 'fastify' {
  interface FastifyRequest {
    /** One generation for the whole request, by `hotSecrets`. */
    readonly secrets: RegisteredSnapshot;
  }
  interface FastifyInstance {
    /** The store, by `hotSecrets`. */
    readonly secrets: RegisteredStore;
  }
}

export interface HotSecretsOptions<V = never> extends FrameworkOptions<V> {
  readonly store: SecretStore<V>;
  /** Closes the store with the application, after its last request. Default: true. */
  readonly closeStore?: boolean;
}

const WHERE = 'hotSecrets';

/**
 * A Fastify plugin: `request.secrets` is one snapshot for each request, taken when it first reads a secret and the same one
 * to its end, so that a rotation in between mixes nothing; `fastify.secrets` is the store. Where it is registered, and
 * below, as with any plugin that is not encapsulated; several stores have names of their own (`as`).
 *
 * Options: `store`, `closeStore`, `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503.
 *
 * Rejects at start-up with `OPTION_INVALID` (no store, a name that is taken, `endpoints` without `authorize`),
 * `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * await app.register(hotSecrets, { store: secrets });
 * app.get('/pay', async (request) => pay(request.secrets.reveal('user'), request.secrets.reveal('password')));
 * ```
 */
export const hotSecrets: HotSecretsPlugin = Object.assign(register, {
  // What fastify-plugin would set: a package for three properties.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'hot-secrets',
  [Symbol.for('plugin-meta')]: { name: 'hot-secrets', fastify: '>=5.0.0' },
}) as HotSecretsPlugin;

/** Any store fits: which one the types of requests are of, `HotSecrets.Register` says. */
// biome-ignore lint/suspicious/noExplicitAny: a plugin's options cannot be generic.
export type HotSecretsPlugin = FastifyPluginAsync<HotSecretsOptions<any>>;

async function register<V>(app: FastifyInstance, options: HotSecretsOptions<V>): Promise<void> {
  const { store, closeStore = true, ...common } = options;
  // Fastify's own, for every plugin.
  const { prefix, logLevel, logSerializers, ...own } = common as typeof common &
    Readonly<Record<string, unknown>>;
  const { as, endpoints, stop } = setUp(WHERE, store, own as FrameworkOptions<V>);
  if (app.hasRequestDecorator(as) || app.hasDecorator(as)) {
    throw new SecretsError('OPTION_INVALID', `${WHERE} finds request.${as} or fastify.${as} taken`, {
      next: "Register each store once; give a second one a name of its own: { as: 'billing' }.",
    });
  }
  const slot = Symbol(as);
  type Slotted = FastifyRequest & { [slot]: RequestSnapshot<V> | null };
  app.decorate(as, store);
  // A slot of every request, and a getter on their prototype: a request that reads no secret costs nothing.
  app.decorateRequest(slot, null);
  app.decorateRequest(as, {
    getter() {
      const request = this as Slotted;
      request[slot] ??= new RequestSnapshot(store);
      return request[slot];
    },
  } as never);
  app.addHook('onClose', async () => {
    stop();
    if (closeStore) await store.close();
  });
  if (endpoints.size > 0) await app.register(async (scope) => serve(scope, endpoints));
}

/** Where the option is, which moved within Fastify 5. */
interface RouterConfig {
  readonly ignoreTrailingSlash?: boolean;
  readonly routerOptions?: { readonly ignoreTrailingSlash?: boolean };
}

/** In a scope of its own: the bodies of these requests are nobody's to parse. */
function serve(scope: FastifyInstance, endpoints: Endpoints): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _body, done) => done(null));
  const { ignoreTrailingSlash, routerOptions } = scope.initialConfig as RouterConfig;
  // Then the page is there with a slash already.
  const ignoresSlash = ignoreTrailingSlash === true || routerOptions?.ignoreTrailingSlash === true;
  for (const [url, endpoint] of endpoints) {
    if (ignoresSlash && url.endsWith('/')) continue;
    scope.all(url, { schema: { hide: true } as object }, async (request, reply) => {
      reply.hijack();
      await endpoint.node(request.raw, reply.raw);
    });
  }
}
