import type { Definition } from '../definitions/definition';

type Declared = ReadonlyMap<string, Definition<unknown>>;

// A registered symbol, because a store may come from another copy of the package.
const DECLARED = Symbol.for('hot-secrets.declared');

/** Attaches what a store was opened with, for the doctor. Definitions contain names, never values. */
export function declare<Store extends object>(store: Store, definitions: Declared | undefined): Store {
  return Object.defineProperty(store, DECLARED, { value: definitions });
}

/** What a store was opened with; `undefined` if it discovers its secrets. */
export function declaredBy(store: object | undefined): Declared | undefined {
  return (store as { readonly [DECLARED]?: Declared } | undefined)?.[DECLARED];
}
