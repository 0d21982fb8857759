import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { isThenable } from '../internal/events';
import { kindOf } from '../internal/options';
import { isSecret } from '../secret/secret';
import type { Snapshot } from '../store/types';
import type { TrackedSnapshot } from './tracked';

/** Turns a snapshot into the options of a client or server. Synchronous. The client depends on the secrets that it reads. */
export type Recipe<V, Options> = (snapshot: Snapshot<V>) => Options;

/**
 * Runs the recipe of the resource called `name`. `returns` names the client whose options it must return, for messages.
 * @throws `RECIPE_FAILED`, `RECIPE_ASYNC`, or any error of reading the snapshot.
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
    // Getters may read secrets: call them while reads are tracked.
    if (typeof result === 'object' && result !== null) Object.values(result);
  } catch (error) {
    if (isSecretsError(error)) throw error;
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} threw ${describeError(error)}`, {
      next: 'Fix the recipe. The message of its error is left out, because it may contain a secret.',
    });
  }
  if (isThenable(result)) {
    result.then(undefined, () => {});
    throw new SecretsError('RECIPE_ASYNC', `the recipe of the ${name} returned a promise`, {
      next: 'Return the options themselves, not a promise. Do asynchronous work before you create the client.',
    });
  }
  if (!isOptions(result)) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned no options`, {
      next: `Return the options of ${returns}.`,
    });
  }
  const [boxed] = Object.entries(result).find(([, value]) => isSecret(value)) ?? [];
  if (boxed !== undefined) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned a box as \`${boxed}\``, {
      next: `Return its value: call s.reveal('…') instead of s.get('…'), or reveal() on the box.`,
    });
  }
  return result as Options;
}

/** A library would read no setting of the others, and use its defaults. */
function isOptions(result: unknown): result is object {
  if (typeof result !== 'object' || result === null || isSecret(result)) return false;
  return !Array.isArray(result) && !ArrayBuffer.isView(result) && !(result instanceof Map);
}

/**
 * Returns an error if a recipe or builder did not read its snapshot: the engine would never run it again. A recipe that
 * reads the store instead could mix two generations. `builder` names the function in messages.
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

/** @throws `OPTION_INVALID` if `store` is not a store. */
export function assertStore(where: string, store: unknown): void {
  if (isStore(store)) return;
  const isPromise = isThenable(store);
  throw new SecretsError(
    'OPTION_INVALID',
    `the first argument of ${where} must be a store, not ${isPromise ? 'a promise' : kindOf(store)}`,
    {
      next: isPromise
        ? 'Await SecretStore.open(), then pass its result.'
        : 'Pass the store that SecretStore.open() returns.',
    },
  );
}

/** @throws `OPTION_INVALID` if `recipe` is not a function. `usage` shows a correct call. */
export function assertRecipe(where: string, recipe: unknown, usage: string): void {
  if (typeof recipe === 'function') return;
  throw new SecretsError(
    'OPTION_INVALID',
    `the recipe of ${where} must be a function, not ${kindOf(recipe)}`,
    {
      next: `Call ${usage}.`,
    },
  );
}

/**
 * Checks the first two arguments of a client.
 * @throws `OPTION_INVALID`.
 */
export function assertStoreAndRecipe(where: string, store: unknown, recipe: unknown): void {
  const usage = `${where}(secrets, (s) => ({ … s.reveal('name') … }))`;
  if (typeof store === 'function' && isStore(recipe)) {
    throw new SecretsError('OPTION_INVALID', `${where} received its recipe before the store`, {
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
