import { isSecretsError, SecretsError } from '../errors';
import type { Boxes, Lists, SecretStore, Snapshot } from '../store/types';

declare global {
  /** Where an application declares which store its requests carry. */
  namespace HotSecrets {
    /**
     * The type of `request.secrets`, for frameworks with one request type for the whole program (Express, Fastify).
     *
     * @example
     * ```ts
     * declare global {
     *   namespace HotSecrets {
     *     interface Register { store: typeof secrets }
     *   }
     * }
     * ```
     */
    interface Register {}
  }
}

/** The names and types of the registered store. Without one, every name is allowed and values are `unknown`. */
export type RegisteredValues = HotSecrets.Register extends { readonly store: SecretStore<infer V> }
  ? V
  : Readonly<Record<string, unknown>>;

/** The snapshot of a request, typed by the registered store. */
export type RegisteredSnapshot = Snapshot<RegisteredValues>;
/** The registered store, or one of any secrets. */
export type RegisteredStore = SecretStore<RegisteredValues>;

type RequestStore<V> = Pick<SecretStore<V>, 'snapshot'>;

// A registered symbol, so that the ESM and CJS copies of the package recognise each other's snapshots.
const STORE = Symbol.for('hot-secrets.request-store');

/**
 * The snapshot of one request. It is taken when the request first reads a secret and stays the same throughout; until then
 * it costs one small object.
 */
export class RequestSnapshot<V> implements Snapshot<V> {
  readonly #store: RequestStore<V>;
  #taken: Snapshot<V> | undefined;

  constructor(store: RequestStore<V>) {
    this.#store = store;
  }

  get generation(): number {
    return this.#snapshot().generation;
  }

  get takenAt(): Date {
    return this.#snapshot().takenAt;
  }

  reveal<K extends keyof V & string>(name: K): V[K] {
    return this.#snapshot().reveal(name);
  }

  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K] {
    return this.#snapshot().revealWithPrevious(name);
  }

  get<K extends keyof V & string>(name: K): Boxes<V>[K] {
    return this.#snapshot().get(name);
  }

  graceEndsAt(name: keyof V & string): Date | undefined {
    return this.#snapshot().graceEndsAt(name);
  }

  has(name: keyof V & string): boolean {
    return this.#snapshot().has(name);
  }

  names<N extends keyof V & string = keyof V & string>(): readonly N[] {
    return this.#snapshot().names();
  }

  /** The store that it belongs to. */
  get [STORE](): object {
    return this.#store;
  }

  #snapshot(): Snapshot<V> {
    this.#taken ??= takeSnapshot(this.#store);
    return this.#taken;
  }
}

/** Takes a snapshot. Once the store is closed, throws an error that every framework answers with 503. */
function takeSnapshot<V>(store: RequestStore<V>): Snapshot<V> {
  try {
    return store.snapshot();
  } catch (error) {
    throw isSecretsError(error, 'STORE_CLOSED') ? unavailable(error) : error;
  }
}

/**
 * Tells whether a request already has its snapshot, since a middleware may be mounted twice on its path.
 * @throws `OPTION_INVALID` when the property holds the snapshot of another store, or something else.
 */
export function hasSnapshotOf(store: object, property: string, found: unknown): boolean {
  if (found === undefined || found === null) return false;
  if ((found as { readonly [STORE]?: object })[STORE] === store) return true;
  const other =
    (found as object)[STORE as never] === undefined ? 'something else' : 'secrets of another store';
  throw new SecretsError('OPTION_INVALID', `${property} already holds ${other}`, {
    next: "Give one of the two its own name: { as: 'billing' }.",
  });
}

/** Adds what frameworks look for: `statusCode` (Express, Fastify, Nest), `status` (Koa, Express), `expose` (Nest 12), `getResponse` (Hono). */
function unavailable(error: SecretsError): SecretsError {
  // Koa writes to it.
  const hidden = (value: unknown) => ({ value, writable: true, configurable: true });
  return Object.defineProperties(error, {
    status: hidden(503),
    statusCode: hidden(503),
    expose: hidden(false),
    getResponse: hidden(() => new Response('Service Unavailable', { status: 503 })),
  });
}
