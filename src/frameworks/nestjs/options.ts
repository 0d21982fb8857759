import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common';
import { SecretsError } from '../../errors';
import { rejectUnknownOptions } from '../../internal/options';
import { SecretStore } from '../../store/open';
import type { Definitions, OpenOptions, ValuesOf } from '../../store/types';
import { FRAMEWORK_OPTIONS, type FrameworkOptions } from '../setup';

/** What Nest has to know of the module before it has its options. */
export interface ModulePlace {
  /** What the store is injected as, and what its snapshot is called on a request. Default: `secrets`. */
  readonly as?: string;
  /** Makes the store injectable everywhere. Default: true. */
  readonly isGlobal?: boolean;
}

interface Common<V> extends Omit<FrameworkOptions<V>, 'as'> {
  /** Closes the store with the application, after its last request. Default: true. */
  readonly closeStore?: boolean;
}

/** With a store that is open already. */
export interface OpenedStoreOptions<V> extends Common<V> {
  readonly store: SecretStore<V>;
}

/** With what `SecretStore.open` takes: the module opens the store, and the application does not start without it. */
export interface OpeningStoreOptions<D extends Definitions> extends Common<ValuesOf<D>>, OpenOptions<D> {
  readonly secrets: D;
}

/** The same without names: every file under the mount is a text secret under its own name. */
export interface DiscoveringStoreOptions
  extends Common<Readonly<Record<string, string>>>,
    Omit<OpenOptions, 'secrets'> {}

/** What a factory gets its options from. `Options`: one of the three kinds. */
export interface SecretsModuleAsyncOptions<Options> extends ModulePlace {
  /** The modules that export what is injected. */
  readonly imports?: ModuleMetadata['imports'];
  /** What the factory is called with. */
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[];
  // biome-ignore lint/suspicious/noExplicitAny: what is injected, Nest knows.
  readonly useFactory: (...injected: any[]) => Options | Promise<Options>;
}

/** All kinds together, as they are looked at. */
export interface SecretsModuleOptions extends Common<unknown>, OpenOptions {
  readonly store?: SecretStore<unknown>;
}

export const WHERE = 'SecretsModule';

const COMMON = [...FRAMEWORK_OPTIONS.filter((option) => option !== 'as'), 'closeStore'];
// Complete by its type.
const OPENING: { readonly [O in keyof Required<OpenOptions>]: true } = {
  name: true,
  secrets: true,
  on: true,
  sources: true,
  refreshTimeoutMs: true,
  expiryThresholdsDays: true,
};

/** Tells whether the module opens the store, rather than being given one. */
export function opensStore(options: SecretsModuleOptions): boolean {
  return !('store' in options);
}

/**
 * The store that was given, or the one that is opened.
 *
 * @throws `OPTION_UNKNOWN`, `OPTION_INVALID`, and what `SecretStore.open` rejects with.
 */
export async function storeOf(options: SecretsModuleOptions): Promise<SecretStore<unknown>> {
  rejectUnknownOptions(WHERE, options, [...COMMON, ...Object.keys(OPENING), 'store']);
  const opening = Object.entries(options).filter(([option]) => option in OPENING);
  if (opensStore(options)) return SecretStore.open(Object.fromEntries(opening));
  if (opening.length === 0) return options.store as SecretStore<unknown>;
  throw new SecretsError(
    'OPTION_INVALID',
    `${WHERE} was given a store and ${opening[0]?.[0]} for opening one`,
    {
      next: 'Give one or the other.',
    },
  );
}
