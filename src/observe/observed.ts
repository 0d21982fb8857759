import { randomBytes } from 'node:crypto';
import type { SecretsError, SecretsErrorCode } from '../errors';
import type { OfStore } from './channels';

/** What follows a store, as it is now. Names and numbers. */
export interface ResourceState {
  readonly kind: string;
  readonly name: string;
  /** The store's generation that it uses; `undefined` before the first. */
  readonly generation: number | undefined;
  /** Old generations of it that are on their way out. */
  readonly draining: number;
  /** Open connections, where it counts them, and those of them that are of older generations. */
  readonly connections: { readonly open: number | undefined; readonly stale: number } | undefined;
  /** A rotation that is under way: how often it was tried, and why the last attempt failed. */
  readonly rotating: { readonly attempts: number; readonly code: SecretsErrorCode | undefined } | undefined;
  /** True while the server refuses the credential that is in use. */
  readonly refused: boolean;
}

/** What there is to see of a store, for those who watch it: its identity, and what follows it. */
export interface Observed extends OfStore {
  /** Asks each resource for its state. Functions, so that nothing of a resource is within reach. */
  readonly resources: Set<() => ResourceState>;
  /** Tells the store's `error` listeners what happened to a resource; false when the store has none. */
  readonly tellError: (error: SecretsError) => boolean;
}

// A symbol of the registry, so that the ESM and CJS copies of the package see each other's stores.
const OBSERVED = Symbol.for('hot-secrets.observed');

/** Makes a store observable under a name. `tellError`: see `Observed`. */
export function makeObserved(
  store: object,
  name: string,
  tellError: Observed['tellError'] = () => false,
): Observed {
  const observed: Observed = {
    store: name,
    storeId: randomBytes(6).toString('base64url'),
    resources: new Set(),
    tellError,
  };
  // A frozen stand-in of a test is watched by nobody.
  if (Object.isExtensible(store)) Object.defineProperty(store, OBSERVED, { value: observed });
  return observed;
}

/** What there is to see of a store; of an object that only looks like one, nothing, and it gets an identity of its own. */
export function observedOf(store: object): Observed {
  return (store as { readonly [OBSERVED]?: Observed })[OBSERVED] ?? makeObserved(store, 'secrets');
}
