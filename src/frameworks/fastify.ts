import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { SecretsError } from '../errors';
import { flag, readOptions } from '../internal/options';
import type { SecretStore } from '../store/types';
import { claimRoutes, serveEndpoints } from './fastify-endpoints';
import { type RegisteredSnapshot, type RegisteredStore, RequestSnapshot } from './request-snapshot';
import { type FrameworkOptions, setUp } from './setup';

export type { RotationContext, RotationHook } from './lifecycle';
export type { RegisteredSnapshot, RegisteredStore } from './request-snapshot';
export type { EndpointsOptions, FrameworkOptions } from './setup';

declare module 'fastify' {
  interface FastifyRequest {
    /** One generation for the whole request, from `hotSecrets`. */
    readonly secrets: RegisteredSnapshot;
  }
  interface FastifyInstance {
    /** The store, from `hotSecrets`. */
    readonly secrets: RegisteredStore;
  }
}

export interface HotSecretsOptions<V = never> extends FrameworkOptions<V> {
  /** The open store. */
  readonly store: SecretStore<V>;
  /** Closes the store with the application, after its last request. Default: true. */
  readonly closeStore?: boolean | undefined;
}

/** Accepts any store: `HotSecrets.Register` sets the types of requests. */
// biome-ignore lint/suspicious/noExplicitAny: the options of a plugin cannot be generic.
export type HotSecretsPlugin = FastifyPluginAsync<HotSecretsOptions<any>>;

const WHERE = 'hotSecrets';

/**
 * A Fastify plugin: `request.secrets` is one snapshot per request and `fastify.secrets` is the store. The snapshot is taken
 * when the request first reads a secret and stays the same throughout, so a rotation in between never mixes generations.
 * It applies where it is registered and below, like any plugin that is not encapsulated. Give each of several stores its own
 * name (`as`).
 *
 * Options: `store`, `closeStore`, `as`, `onRotate`, `hookTimeoutMs`, `endpoints`.
 *
 * A request that first reads a secret after the store was closed is answered with 503.
 *
 * Rejects at start-up with `OPTION_INVALID` (also without a store, for a name or a path of `endpoints` that is taken, and for
 * `endpoints` without `authorize`) and `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * await app.register(hotSecrets, { store: secrets });
 * app.get('/pay', async (request) => pay(request.secrets.reveal('user'), request.secrets.reveal('password')));
 * ```
 */
export const hotSecrets: HotSecretsPlugin = Object.assign(register, {
  // Set here, because fastify-plugin would be a dependency for three properties.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'hot-secrets',
  [Symbol.for('plugin-meta')]: { name: 'hot-secrets', fastify: '>=5.0.0' },
}) as HotSecretsPlugin;

async function register<V>(app: FastifyInstance, options: HotSecretsOptions<V>): Promise<void> {
  const { store, closeStore: close, ...common } = options;
  const { closeStore } = readOptions(WHERE, { closeStore: close }, { closeStore: flag(true) });
  // Fastify passes these to every plugin.
  const { prefix, logLevel, logSerializers, ...own } = common as typeof common &
    Readonly<Record<string, unknown>>;
  const { as, endpoints, stop } = setUp(WHERE, store, own as FrameworkOptions<V>, {
    assertFree: (name) => {
      if (!app.hasRequestDecorator(name) && !app.hasDecorator(name)) return;
      throw new SecretsError(
        'OPTION_INVALID',
        `${WHERE}: request.${name} or fastify.${name} is already taken`,
        {
          next: "Register each store once, and give a second one its own name: { as: 'billing' }.",
        },
      );
    },
    claim: (paths) => claimRoutes(WHERE, app, paths),
  });
  const slot = Symbol(as);
  type Slotted = FastifyRequest & { [slot]: RequestSnapshot<V> | null };
  app.decorate(as, store);
  // A slot in every request and a getter on the prototype, so that requests that read no secret cost nothing.
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
  if (endpoints.size > 0) await serveEndpoints(app, endpoints);
}
