import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { type Recipe, runRecipe } from '../../rotation/recipe';
import type { Snapshot } from '../../store/types';
import { checkedContext } from './checked-context';

/** Checked options, and the swaps between which new connections got them: from `from` on, before `until`. */
export interface ServedContext {
  readonly options: SecureContextOptions;
  /** Made of them; `undefined` where the server makes its own. */
  readonly context: SecureContext | undefined;
  from: number;
  until: number;
}

/**
 * Turns one generation into what a server shows: certificate, key, `ca`. Synchronous; what it reads is what the server
 * depends on.
 */
export type ContextRecipe<V> = Recipe<V, SecureContextOptions>;

/**
 * Runs a recipe and checks what comes of it. `beneath`: options that hold unless the recipe names them. `make`: what has
 * to succeed with them.
 * @throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`,
 * `TLS_OPTIONS_INVALID`, or what reading the snapshot threw.
 */
export function buildContext<V>(
  name: string,
  recipe: ContextRecipe<V>,
  snapshot: Snapshot<V>,
  beneath: SecureContextOptions = {},
  make: (options: SecureContextOptions) => SecureContext | undefined = createSecureContext,
): ServedContext {
  const named = Object.entries(runRecipe(name, recipe, snapshot, 'tls.createSecureContext'));
  const options = {
    ...beneath,
    ...Object.fromEntries(named.filter(([, value]) => value !== undefined)),
  } as SecureContextOptions;
  const context = checkedContext(name, options, 'required', make);
  return { options, context, from: 0, until: Number.POSITIVE_INFINITY };
}
