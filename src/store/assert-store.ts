import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { SecretStore } from './types';

// A registered symbol, so that the ESM and CJS copies of the package recognize each other's stores.
export const STORE_BRAND = Symbol.for('hot-secrets.store');

/** Returns true if `value` is a store, even one of another copy of the package. */
export function isStore(value: unknown): boolean {
  return typeof value === 'object' && value !== null && STORE_BRAND in value;
}

/**
 * Checks that `store` has the members that a function uses. Refuses a promise, a recipe or a missing argument at once.
 *
 * @throws `OPTION_INVALID`
 */
export function assertStore(
  where: string,
  store: unknown,
  members: readonly (keyof SecretStore<unknown> & string)[],
): void {
  const given = typeof store === 'object' && store !== null ? (store as Record<string, unknown>) : undefined;
  if (given !== undefined && members.every((name) => given[name] !== undefined)) return;
  const isPromise = typeof given?.then === 'function';
  const what = isPromise ? 'a promise' : given !== undefined ? 'another object' : kindOf(store);
  throw new SecretsError('OPTION_INVALID', `${where}: the store must be an open SecretStore, not ${what}`, {
    next: isPromise
      ? 'Await SecretStore.open(…), then pass its result.'
      : `Pass the result of SecretStore.open(…) as the first argument of ${where}.`,
  });
}
