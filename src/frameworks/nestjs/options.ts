import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common';
import { SecretsError } from '../../errors';
import { flag, type Option, passed, readOptions } from '../../internal/options';
import { SecretStore } from '../../store/open';
import type { Definitions, OpenOptions, ValuesOf } from '../../store/types';
import type { FrameworkOptions } from '../setup';

/** The options that Nest needs before a factory returns the others. */
export interface ModulePlace {
  /** The name of the store for injection, and of its snapshot on a request. Default: `secrets`. */
  readonly as?: string | undefined;
  /** Makes the store injectable everywhere. Default: true. */
  readonly isGlobal?: boolean;
}

interface CommonOptions<V> extends Omit<FrameworkOptions<V>, 'as'> {
  /** Closes the store with the application, after its last request. Default: true. */
  readonly closeStore?: boolean;
}

/** Uses a store that is already open. */
export interface OpenedStoreOptions<V> extends CommonOptions<V> {
  /** The open store. */
  readonly store: SecretStore<V>;
}

/** Takes the options of `SecretStore.open`: the module opens the store, and the application does not start without it. */
export interface OpeningStoreOptions<D extends Definitions>
  extends CommonOptions<ValuesOf<D>>,
    OpenOptions<D> {
  readonly secrets: D;
}

/** Opens a store without declared names: every file under the mount is a text secret under its own name. */
export interface DiscoveringStoreOptions
  extends CommonOptions<Readonly<Record<string, string>>>,
    Omit<OpenOptions, 'secrets'> {}

/** How a factory creates the options. `Options` is one of the three kinds. */
export interface SecretsModuleAsyncOptions<Options> extends ModulePlace {
  /** The modules that export what is injected. */
  readonly imports?: ModuleMetadata['imports'] | undefined;
  /** The arguments of the factory. */
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Returns the options, or a promise of them. */
  // biome-ignore lint/suspicious/noExplicitAny: only Nest knows what it injects.
  readonly useFactory: (...injected: any[]) => Options | Promise<Options>;
}

/** The three kinds of options combined. */
export interface SecretsModuleOptions extends CommonOptions<unknown>, OpenOptions {
  /** A store that is open already, instead of the options of one. */
  readonly store?: SecretStore<unknown> | undefined;
}

export const WHERE = 'SecretsModule';

const COMMON = {
  closeStore: flag(true),
  onRotate: passed<SecretsModuleOptions['onRotate']>(),
  hookTimeoutMs: passed<number>(),
  endpoints: passed<SecretsModuleOptions['endpoints']>(),
};

// SecretStore.open checks the values. The type makes the list complete.
const OPENING: { readonly [O in keyof Required<OpenOptions>]: Option<OpenOptions[O] | undefined> } = {
  name: passed(),
  secrets: passed(),
  on: passed(),
  sources: passed(),
  refreshTimeoutMs: passed(),
  expiryThresholdsDays: passed(),
};

/** Tells whether the module opens the store itself. */
export function opensStore(options: SecretsModuleOptions): boolean {
  return !('store' in options);
}

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readModuleOptions(options: SecretsModuleOptions) {
  return readOptions(WHERE, options, { ...COMMON, ...OPENING, store: passed<SecretStore<unknown>>() });
}

/** @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readAsyncOptions<O>(options: SecretsModuleAsyncOptions<O>) {
  return readOptions(`${WHERE}.forRootAsync`, options, {
    as: passed<string>(),
    isGlobal: flag(true),
    imports: passed<NonNullable<ModuleMetadata['imports']>>(),
    inject: passed<SecretsModuleAsyncOptions<O>['inject']>(),
    useFactory: (given, reject) =>
      typeof given === 'function'
        ? (given as SecretsModuleAsyncOptions<O>['useFactory'])
        : reject('a function that returns the options'),
  });
}

/**
 * Returns the given store, or opens one.
 *
 * @throws `OPTION_UNKNOWN`, `OPTION_INVALID`, and what `SecretStore.open` rejects with.
 */
export async function storeOf(options: SecretsModuleOptions): Promise<SecretStore<unknown>> {
  const { store } = readModuleOptions(options);
  const opening = Object.entries(options).filter(([option]) => option in OPENING);
  if (opensStore(options)) return SecretStore.open(Object.fromEntries(opening));
  const [first] = opening;
  if (first === undefined) return store as SecretStore<unknown>;
  throw new SecretsError('OPTION_INVALID', `${WHERE} takes either a store or \`${first[0]}\`, not both`, {
    next: `Remove \`${first[0]}\`, or let the module open the store and remove \`store\`.`,
  });
}
