import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { isThenable } from '../internal/events';
import { kindOf } from '../internal/options';
import { isSecret } from '../secret/secret';
import type { Snapshot } from '../store/types';
import type { TrackedSnapshot } from './tracked';

/** Turns one generation into the options of a client or server. Synchronous; the resource depends on the secrets that it reads. */
export type Recipe<V, Options> = (snapshot: Snapshot<V>) => Options;

/**
 * Runs a recipe for the resource called `name`. `returns` names the client whose options it should return, for the message.
 * @throws `RECIPE_FAILED`, `RECIPE_ASYNC`, or what reading the snapshot threw.
 */
export function runRecipe<V, Options extends object>(
  name: string,
  recipe: Recipe<V, Options>,
  snapshot: Snapshot<V>,
  returns: string,
): Options {
  let result: unknown;
  try {
    result = recipe(snapshot);
    // Getters may read secrets: run them while reads are watched.
    if (typeof result === 'object' && result !== null) Object.values(result);
  } catch (error) {
    if (isSecretsError(error)) throw error;
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} threw ${describeError(error)}`, {
      next: 'Its message is left out, because it may hold a value.',
    });
  }
  if (isThenable(result)) {
    result.then(undefined, () => {});
    throw new SecretsError('RECIPE_ASYNC', `the recipe of the ${name} returned a promise`, {
      next: 'Return plain options; do slow work beforehand, and read its result from the snapshot.',
    });
  }
  if (typeof result !== 'object' || result === null) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned no options`, {
      next: `Return the options of ${returns}.`,
    });
  }
  const [boxed] = Object.entries(result).find(([, value]) => isSecret(value)) ?? [];
  if (boxed !== undefined) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned a box as \`${boxed}\``, {
      next: `Return the value: s.reveal('…'), or reveal() of the box.`,
    });
  }
  return result as Options;
}

/**
 * The error for a recipe or builder that does not depend on its snapshot: one that reads nothing from it would never be
 * run again, and one that reads the store could mix two generations. `builder`: what messages call it. A read in a callback
 * that runs later looks like none.
 */
export function misreadError<V>(
  tracked: TrackedSnapshot<V>,
  builder: string,
  resource: string,
): SecretsError | undefined {
  const { reads, readsAll, storeReads } = tracked;
  const [fromStore] = storeReads;
  if (fromStore !== undefined) {
    const what = `the ${builder} of the ${resource} read the secret "${fromStore}" from the store, not from its snapshot`;
    const next = `Read it from the argument: (s) => … s.reveal('${fromStore}') …`;
    return new SecretsError('RECIPE_READS_STORE', what, { secret: fromStore, resource, next });
  }
  if (readsAll || reads.size > 0) return undefined;
  const what = `the ${builder} of the ${resource} read no secret from its snapshot, so nothing would make it rotate`;
  const next =
    "Read secrets from its argument while it runs: (s) => … s.reveal('…') … A read within a callback that is called later, such as password: () => s.reveal('…'), does not count.";
  return new SecretsError('RECIPE_READS_NOTHING', what, { resource, next });
}

/** @throws `OPTION_INVALID` where something else than a store was passed, and says what to pass. */
export function assertStore(where: string, store: unknown): void {
  if (isStore(store)) return;
  const isPromise = isThenable(store);
  throw new SecretsError(
    'OPTION_INVALID',
    `${where} needs a store first, not ${isPromise ? 'a promise' : kindOf(store)}`,
    {
      next: isPromise
        ? 'Await SecretStore.open() first.'
        : 'Pass the store that SecretStore.open() resolved with.',
    },
  );
}

/** @throws `OPTION_INVALID` if no recipe was passed. `usage` shows a correct call. */
export function assertRecipe(where: string, recipe: unknown, usage: string): void {
  if (typeof recipe === 'function') return;
  throw new SecretsError('OPTION_INVALID', `${where} needs a recipe, a function, not ${kindOf(recipe)}`, {
    next: `Call ${usage}.`,
  });
}

/**
 * Checks the first two arguments of a client.
 * @throws `OPTION_INVALID`.
 */
export function assertStoreAndRecipe(where: string, store: unknown, recipe: unknown): void {
  const usage = `${where}(secrets, (s) => ({ … s.reveal('name') … }))`;
  if (typeof store === 'function' && isStore(recipe)) {
    throw new SecretsError('OPTION_INVALID', `${where} was given its recipe before the store`, {
      next: `Call ${usage}: the store comes first.`,
    });
  }
  assertStore(where, store);
  assertRecipe(where, recipe, usage);
}

function isStore(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { snapshot, on } = value as { readonly snapshot?: unknown; readonly on?: unknown };
  return typeof snapshot === 'function' && typeof on === 'function';
}
