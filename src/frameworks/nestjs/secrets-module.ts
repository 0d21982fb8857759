import {
  type DynamicModule,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnApplicationShutdown,
  type Provider,
  Scope,
} from '@nestjs/common';
import type { Definitions, SecretStore } from '../../store/types';
import { secretsMiddleware } from '../express/secrets-middleware';
import { type FrameworkOptions, setUp } from '../setup';
import { injectedNames, secretsToken, secretToken } from './inject';
import {
  type DiscoveringStoreOptions,
  type ModulePlace,
  type OpenedStoreOptions,
  type OpeningStoreOptions,
  opensStore,
  type SecretsModuleAsyncOptions,
  type SecretsModuleOptions,
  storeOf,
  WHERE,
} from './options';
import { secretHandle } from './secret-handle';
import { type Served, serve } from './serve';
import { StoreNames, StoreNamesModule } from './store-names';

// Shown by Nest to whoever imports the bare class.
const OPTIONS = 'options of SecretsModule.forRoot()';
const RUNNING = 'SecretsModule.forRoot()';

interface Running extends Served {
  readonly closeStore: boolean;
  readonly stop: () => void;
}

/**
 * The store for a Nest application: injected with `@InjectSecrets()`, single secrets with `@InjectSecret(name)`, one snapshot
 * for each HTTP request with `@RequestSecrets()` (also `req.secrets`), on Express and on Fastify.
 *
 * The start fails with what `SecretStore.open` rejects with, with `NAME_UNKNOWN` for an injected name that the store does not
 * know, and with `OPTION_INVALID` (also for two modules of one name, and for `endpoints` without `authorize`) or
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

  /** With a store, or with what `SecretStore.open` takes. */
  static forRoot<V>(options: OpenedStoreOptions<V> & ModulePlace): DynamicModule;
  static forRoot<D extends Definitions>(options: OpeningStoreOptions<D> & ModulePlace): DynamicModule;
  static forRoot(options?: DiscoveringStoreOptions & ModulePlace): DynamicModule;
  static forRoot({ as, isGlobal, ...options }: ModulePlace = {}): DynamicModule {
    return rootModule({ as, isGlobal }, { provide: OPTIONS, useValue: options });
  }

  /** The same, with options that come from a factory. `as` and `isGlobal` stay beside it: Nest needs them before. */
  static forRootAsync<V>(options: SecretsModuleAsyncOptions<OpenedStoreOptions<V>>): DynamicModule;
  static forRootAsync<D extends Definitions>(
    options: SecretsModuleAsyncOptions<OpeningStoreOptions<D>>,
  ): DynamicModule;
  static forRootAsync(options: SecretsModuleAsyncOptions<DiscoveringStoreOptions>): DynamicModule;
  static forRootAsync({
    imports = [],
    inject = [],
    useFactory,
    ...place
  }: SecretsModuleAsyncOptions<object>) {
    return rootModule(place, { provide: OPTIONS, inject: [...inject], useFactory }, imports);
  }

  /**
   * Makes handles for names that `@InjectSecret` asks for in classes that are loaded after the start: for the imports of a
   * module that `LazyModuleLoader` loads. The store has to be global.
   */
  static forFeature(names: string | readonly string[], as?: string): DynamicModule {
    const providers = [names].flat().map((name) => handleProvider(name, as));
    return { module: SecretsFeatureModule, providers, exports: providers.map(({ provide }) => provide) };
  }

  configure(consumer: MiddlewareConsumer): void {
    serve(consumer, this.running);
  }

  /**
   * The one hook that comes after the last request, for `app.close()` and for signals alike: `onModuleDestroy` and
   * `beforeApplicationShutdown` run while the server still answers, and may use secrets to the end. Of several modules,
   * a global one is called last.
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
    // Nest reads them when it starts: by then, the decorators of all classes that were imported have run.
    get providers() {
      return [...own, ...handles()];
    },
    get exports() {
      return [token, ...handles().map(({ provide }) => provide)];
    },
  };
}

/** Made where it is injected, and only then: what another application of the process asks for is nothing to this one. */
function handleProvider(name: string, as?: string) {
  return {
    provide: secretToken(name, as),
    scope: Scope.TRANSIENT,
    inject: [secretsToken(as)],
    useFactory: (store: SecretStore<Readonly<Record<string, unknown>>>) => secretHandle(store, name),
  };
}

async function run(as: string, options: SecretsModuleOptions, store: SecretStore<unknown>): Promise<Running> {
  const { closeStore = true, endpoints, onRotate, hookTimeoutMs } = options;
  const hook: FrameworkOptions<unknown> = {
    as,
    ...(onRotate !== undefined && { onRotate }),
    ...(hookTimeoutMs !== undefined && { hookTimeoutMs }),
  };
  const served: FrameworkOptions<unknown> = { as, ...(endpoints !== undefined && { endpoints }) };
  try {
    // Also where there is no HTTP.
    const { stop } = setUp(WHERE, store, hook);
    return { as, store, closeStore, stop, middleware: secretsMiddleware(store, served) };
  } catch (error) {
    // Opened here, and there will be no application to close it with.
    if (opensStore(options)) await store.close();
    throw error;
  }
}
