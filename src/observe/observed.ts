import type { SecretsError, SecretsErrorCode } from '../errors';
import { builtin } from '../internal/builtins';
import type { OfStore } from './channels';

/** The current state of a resource: names and numbers. */
export interface ResourceState {
  readonly kind: string;
  readonly name: string;
  /** The store's generation that it uses; `undefined` before the first. */
  readonly generation: number | undefined;
  /** The number of its old generations that are draining. */
  readonly draining: number;
  /** Open connections, if it counts them, and how many of them belong to older generations. */
  readonly connections: { readonly open: number | undefined; readonly stale: number } | undefined;
  /** The rotation in progress: its attempts, and why the last one failed. */
  readonly rotating: { readonly attempts: number; readonly code: SecretsErrorCode | undefined } | undefined;
  /** True while the server refuses the current credential. */
  readonly refused: boolean;
}

/** The observable side of a store: its identity and its resources. */
export interface Observed extends OfStore {
  /** Functions that return the state of a resource, so that the resource itself cannot be reached. */
  readonly resources: Set<() => ResourceState>;
  /** Reports an error of a resource to the store's `error` listeners. Returns false when the store has none. */
  readonly tellError: (error: SecretsError) => boolean;
}

// A registered symbol, so that the ESM and CJS copies of the package see each other's stores.
const OBSERVED = Symbol.for('hot-secrets.observed');

/** Makes a store observable under a name. */
export function makeObserved(
  store: object,
  name: string,
  tellError: Observed['tellError'] = () => false,
): Observed {
  const observed: Observed = {
    store: name,
    storeId: builtin('crypto').randomBytes(6).toString('base64url'),
    resources: new Set(),
    tellError,
  };
  // A test double may be frozen; it is not observed.
  if (Object.isExtensible(store)) Object.defineProperty(store, OBSERVED, { value: observed });
  return observed;
}

/** The observable side of a store. An object that only looks like a store gets an identity of its own. */
export function observedOf(store: object): Observed {
  return (store as { readonly [OBSERVED]?: Observed })[OBSERVED] ?? makeObserved(store, 'secrets');
}
