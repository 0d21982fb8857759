import type {
  DynamicModule,
  HttpServer,
  MiddlewareConsumer,
  NestModule,
  OnApplicationShutdown,
  Provider,
} from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Inject, Module, Scope } from '#nestjs-common';
import { SecretsError } from '../../errors';
import type { Definitions, SecretStore } from '../../store/types';
import { claimPaths } from '../claims';
import { rootOf, snapshotMiddleware } from '../connect';
import { claimRoutes, serveEndpoints } from '../fastify-endpoints';
import { RequestSnapshot } from '../request-snapshot';
import { type FrameworkSetup, setUp } from '../setup';
import { injectedNames, secretHandle, secretsToken, secretToken } from './inject';
import {
  type DiscoveringStoreOptions,
  type ModulePlace,
  type OpenedStoreOptions,
  type OpeningStoreOptions,
  opensStore,
  readAsyncOptions,
  readModuleOptions,
  type SecretsModuleAsyncOptions,
  type SecretsModuleOptions,
  storeOf,
  WHERE,
} from './options';

// Nest prints this when an application imports the bare class.
const OPTIONS = 'options of SecretsModule.forRoot()';
const RUNNING = 'SecretsModule.forRoot()';

interface Running extends FrameworkSetup {
  readonly store: SecretStore<unknown>;
  readonly closeStore: boolean;
}

/** The names that stores have in one application. */
class StoreNames {
  private readonly taken = new Set<string>();

  /** @throws `OPTION_INVALID` for a name that another module has. */
  claim(as: string): void {
    if (this.taken.has(as)) {
      throw new SecretsError('OPTION_INVALID', `${WHERE} was imported twice as "${as}"`, {
        next: "Import it once, since it is global, and give a second store its own name: { as: 'billing' }.",
      });
    }
    this.taken.add(as);
  }
}

/** A module without options exists once per application, however many modules import it. */
@Module({ providers: [StoreNames], exports: [StoreNames] })
class StoreNamesModule {}

/**
 * The store of a Nest application, on Express and on Fastify: `@InjectSecrets()` injects the store, `@InjectSecret(name)` one
 * secret, and `@RequestSecrets()` (also `req.secrets`) the snapshot of an HTTP request.
 *
 * The start fails with any error of `SecretStore.open`, with `NAME_UNKNOWN` for an injected name that the store does not
 * know, and with `OPTION_INVALID` (also for two modules with the same name, and for `endpoints` without `authorize`) or
 * `OPTION_UNKNOWN`.
 *
 * @example
 * ```ts
 * @Module({ imports: [SecretsModule.forRoot({ secrets: { user: 'db-user', password: 'db-password' } })] })
 * class AppModule {}
 * ```
 */
@Module({})
export class SecretsModule implements NestModule, OnApplicationShutdown {
  private readonly running: Running;

  constructor(@Inject(RUNNING) running: Running) {
    this.running = running;
  }

  /** Takes an open store, or the options of `SecretStore.open`. */
  static forRoot<V>(options: OpenedStoreOptions<V> & ModulePlace): DynamicModule;
  static forRoot<D extends Definitions>(options: OpeningStoreOptions<D> & ModulePlace): DynamicModule;
  static forRoot(options?: DiscoveringStoreOptions & ModulePlace): DynamicModule;
  static forRoot(given: ModulePlace = {}): DynamicModule {
    // Nest reports everything else at the start, with the module that it concerns.
    if (typeof given !== 'object' || given === null) readModuleOptions(given);
    const { as, isGlobal, ...options } = given;
    return rootModule({ as, isGlobal }, { provide: OPTIONS, useValue: options });
  }

  /** Takes a factory for the options. `as` and `isGlobal` stay outside of it, because Nest needs them earlier. */
  static forRootAsync<V>(options: SecretsModuleAsyncOptions<OpenedStoreOptions<V>>): DynamicModule;
  static forRootAsync<D extends Definitions>(
    options: SecretsModuleAsyncOptions<OpeningStoreOptions<D>>,
  ): DynamicModule;
  static forRootAsync(options: SecretsModuleAsyncOptions<DiscoveringStoreOptions>): DynamicModule;
  static forRootAsync(options: SecretsModuleAsyncOptions<object>): DynamicModule {
    const { imports, inject = [], useFactory, ...place } = readAsyncOptions(options);
    return rootModule(place, { provide: OPTIONS, inject: [...inject], useFactory }, imports);
  }

  /**
   * Provides the handles for `@InjectSecret` in classes that are loaded after the start: for the imports of a module that
   * `LazyModuleLoader` loads. The store must be global.
   */
  static forFeature(names: string | readonly string[], as?: string): DynamicModule {
    const providers = [names].flat().map((name) => handleProvider(name, as));
    return { module: SecretsFeatureModule, providers, exports: providers.map(({ provide }) => provide) };
  }

  configure(consumer: MiddlewareConsumer): Promise<void> {
    return mount(consumer, this.running);
  }

  /**
   * Runs after the last request, for `app.close()` and for signals alike. `onModuleDestroy` and
   * `beforeApplicationShutdown` run while the server still responds, so they can use secrets. Nest calls global modules last.
   */
  async onApplicationShutdown(): Promise<void> {
    this.running.stop();
    if (this.running.closeStore) await this.running.store.close();
  }
}

@Module({})
class SecretsFeatureModule {}

function rootModule(
  { as = 'secrets', isGlobal = true }: { readonly [O in keyof ModulePlace]: ModulePlace[O] | undefined },
  options: Provider<SecretsModuleOptions>,
  imports: NonNullable<DynamicModule['imports']> = [],
): DynamicModule {
  const token = secretsToken(as);
  const own: Provider[] = [
    options,
    {
      provide: token,
      inject: [OPTIONS, StoreNames],
      useFactory: (given: SecretsModuleOptions, names: StoreNames) => {
        names.claim(as);
        return storeOf(given);
      },
    },
    {
      provide: RUNNING,
      inject: [OPTIONS, token],
      useFactory: (given: SecretsModuleOptions, store: SecretStore<unknown>) => run(as, given, store),
    },
  ];
  const handles = () => injectedNames(as).map((name) => handleProvider(name, as));
  return {
    module: SecretsModule,
    global: isGlobal,
    imports: [StoreNamesModule, ...imports],
    // Nest reads these when it starts, after the decorators of all imported classes have run.
    get providers() {
      return [...own, ...handles()];
    },
    get exports() {
      return [token, ...handles().map(({ provide }) => provide)];
    },
  };
}

/** Created only where it is injected, because another application of the process may have requested the name. */
function handleProvider(name: string, as?: string) {
  return {
    provide: secretToken(name, as),
    scope: Scope.TRANSIENT,
    inject: [secretsToken(as)],
    useFactory: (store: SecretStore<Readonly<Record<string, unknown>>>) => secretHandle(store, name),
  };
}

async function run(as: string, options: SecretsModuleOptions, store: SecretStore<unknown>): Promise<Running> {
  try {
    const { closeStore, endpoints, onRotate, hookTimeoutMs } = readModuleOptions(options);
    return { ...setUp(WHERE, store, { as, endpoints, onRotate, hookTimeoutMs }), store, closeStore };
  } catch (error) {
    // The module opened the store, and there will be no application to close it.
    if (opensStore(options)) await store.close();
    throw error;
  }
}

/**
 * Mounts the middleware before all routes and guards, after those of `app.use`. It uses the adapter itself, because
 * `apply(…).forRoutes(…)` would leave out the routes outside of a global prefix.
 *
 * @throws `OPTION_INVALID` when the name or the path of an endpoint is taken, `PEER_UNSUPPORTED`.
 */
async function mount(consumer: MiddlewareConsumer, { as, store, endpoints }: Running): Promise<void> {
  const adapter = adapterOf(consumer);
  if (adapter.getType() !== 'fastify') {
    if (endpoints.size > 0) claimPaths(WHERE, rootOf(adapter.getInstance()), endpoints);
    adapter.use(snapshotMiddleware(WHERE, store, { as, endpoints }) as never);
    return;
  }
  // With Fastify, middleware receives Node's request, while controllers receive Fastify's request that wraps it.
  const app = adapter.getInstance() as FastifyInstance;
  if (app.hasRequestDecorator(as)) {
    throw new SecretsError('OPTION_INVALID', `${WHERE}: request.${as} is already taken`, {
      next: "Give the store another name: { as: 'billing' }.",
    });
  }
  app.decorateRequest(as, {
    getter(this: FastifyRequest) {
      const raw = this.raw as unknown as Record<string, unknown>;
      raw[as] ??= new RequestSnapshot(store);
      return raw[as];
    },
  } as never);
  adapter.use(snapshotMiddleware(WHERE, store, { as, endpoints: new Map() }) as never);
  if (endpoints.size === 0) return;
  // Routes, so that hooks of Fastify apply to the endpoints.
  claimRoutes(WHERE, app, endpoints);
  await serveEndpoints(app, endpoints);
}

/** The method is public in Nest's builder, which every consumer is, but missing in its interface. */
function adapterOf(consumer: MiddlewareConsumer): HttpServer {
  const { getHttpAdapter } = consumer as { getHttpAdapter?(): HttpServer };
  if (typeof getHttpAdapter === 'function') return getHttpAdapter.call(consumer);
  throw new SecretsError('PEER_UNSUPPORTED', '@nestjs/core does not provide its HTTP adapter', {
    next: `${WHERE} needs Nest 11 or 12.`,
  });
}
