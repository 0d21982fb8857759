import { inspect } from 'node:util';
import type { SecretOf, SecretStore } from '../../store/types';

/**
 * One secret of a store, always as it is now: what a class that lives as long as the process keeps. It prints, serializes
 * and concatenates as `[secret name]`.
 */
export interface SecretHandle<T = string> {
  readonly name: string;
  /** The value as it is now. Throws `STORE_CLOSED`. */
  reveal(): T;
  /** The current value, then the previous one while it is within `keepPreviousMs`. */
  revealWithPrevious(): readonly Exclude<T, undefined>[];
  /** The box of the current value: version, source, loadedAt. */
  get(): SecretOf<T>;
  /** Calls `listener` now and after each rotation; returns what stops that. */
  watch(listener: (current: SecretOf<T>, previous: SecretOf<T> | undefined) => void): () => void;
}

/**
 * Closures: nothing of the store is within reach, and each method works by itself.
 *
 * @throws `NAME_UNKNOWN`.
 */
export function secretHandle<V, K extends keyof V & string>(
  store: SecretStore<V>,
  name: K,
): SecretHandle<V[K]> {
  store.get(name);
  const text = () => `[secret ${name}]`;
  const printed = {
    toString: text,
    toJSON: text,
    valueOf: text,
    [Symbol.toPrimitive]: text,
    [inspect.custom]: text,
  };
  return {
    ...printed,
    name,
    reveal: () => store.reveal(name),
    revealWithPrevious: () => store.revealWithPrevious(name),
    get: () => store.get(name),
    watch: (listener) => store.watch(name, listener),
  };
}
