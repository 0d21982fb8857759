import type { SecretsError, SecretsErrorCode } from '../errors';
import { builtin } from '../internal/builtins';
import type { OfStore } from './channels';

/** The current state of a resource: names and numbers. */
export interface ResourceState {
  readonly kind: string;
  readonly name: string;
  /** The store's generation that the resource uses; `undefined` before the first. */
  readonly generation: number | undefined;
  /** Number of old generations that are draining. */
  readonly draining: number;
  /** Open connections, if the resource counts them, and how many of them belong to older generations. */
  readonly connections: { readonly open: number | undefined; readonly stale: number } | undefined;
  /** The rotation in progress: its attempts, and the code of the last failure. */
  readonly rotating: { readonly attempts: number; readonly code: SecretsErrorCode | undefined } | undefined;
  /** True while the server refuses the current credential. */
  readonly refused: boolean;
}

/** The observable side of a store: its identity and its resources. */
export interface Observed extends OfStore {
  /** Functions that return the state of a resource, without access to the resource itself. */
  readonly resources: Set<() => ResourceState>;
  /** Reports an error of a resource to the store's `error` listeners. Returns false when the store has none. */
  readonly tellError: (error: SecretsError) => boolean;
}

// A registered symbol, so that the ESM and CJS copies of the package recognize each other's stores.
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
  // A frozen object, such as a test double, is not observed.
  if (Object.isExtensible(store)) Object.defineProperty(store, OBSERVED, { value: observed });
  return observed;
}

/** Returns the observable side of a store. Any other object receives its own identity. */
export function observedOf(store: object): Observed {
  return (store as { readonly [OBSERVED]?: Observed })[OBSERVED] ?? makeObserved(store, 'secrets');
}
