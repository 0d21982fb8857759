import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import type { Snapshot } from '../store/types';

/** Turns one generation into the options of a client or server. Synchronous; what it reads is what the resource depends on. */
export type Recipe<V, Options> = (snapshot: Snapshot<V>) => Options;

/**
 * Runs a recipe for the resource called `name`. `options`: what it should have returned, for the message.
 * @throws `RECIPE_FAILED`, `RECIPE_ASYNC`, or what reading the snapshot threw.
 */
export function runRecipe<V, Options extends object>(
  name: string,
  recipe: Recipe<V, Options>,
  snapshot: Snapshot<V>,
  options: string,
): Options {
  let result: unknown;
  try {
    result = recipe(snapshot);
  } catch (error) {
    if (isSecretsError(error)) throw error;
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} threw ${describeError(error)}`, {
      next: 'Its message is left out, because it may hold a value.',
    });
  }
  if (result instanceof Promise || typeof (result as { then?: unknown } | null)?.then === 'function') {
    (result as Promise<unknown>).then(undefined, () => {});
    throw new SecretsError('RECIPE_ASYNC', `the recipe of the ${name} returned a promise`, {
      next: 'Return plain options; do what takes time before, and read it from the snapshot.',
    });
  }
  if (typeof result !== 'object' || result === null) {
    throw new SecretsError('RECIPE_FAILED', `the recipe of the ${name} returned no options`, {
      next: `Return the options of ${options}.`,
    });
  }
  return result as Options;
}
