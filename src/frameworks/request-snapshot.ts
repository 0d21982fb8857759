import { isSecretsError, SecretsError } from '../errors';
import type { Boxes, Lists, SecretStore, Snapshot } from '../store/types';

/** What a request needs of a store. */
export type RequestStore<V> = Pick<SecretStore<V>, 'snapshot'>;

// A symbol of the registry, so that the ESM and CJS copies of the package recognise each other's.
const STORE = Symbol.for('hot-secrets.request-store');

/**
 * The generation that one request sees: the store's snapshot of the moment when the request first reads a secret, and the
 * same one to its end. Until then it is an object with one pointer.
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

  /** Whose snapshot it is. */
  get [STORE](): object {
    return this.#store;
  }

  #snapshot(): Snapshot<V> {
    this.#taken ??= takeSnapshot(this.#store);
    return this.#taken;
  }
}

/** Takes the store's snapshot; once the store is closed, throws what every framework answers with 503. */
function takeSnapshot<V>(store: RequestStore<V>): Snapshot<V> {
  try {
    return store.snapshot();
  } catch (error) {
    throw isSecretsError(error, 'STORE_CLOSED') ? unavailable(error) : error;
  }
}

/**
 * Tells whether a request has its snapshot already: the middleware may be mounted twice on its way.
 * @throws `OPTION_INVALID` when what is there is of another store, or not of this package.
 */
export function hasSnapshotOf(store: object, place: string, found: unknown): boolean {
  if (found === undefined || found === null) return false;
  if ((found as { readonly [STORE]?: object })[STORE] === store) return true;
  const other = (found as object)[STORE as never] === undefined ? 'something else' : 'those of another store';
  throw new SecretsError('OPTION_INVALID', `${place} holds ${other}`, {
    next: "Give one of the two a name of its own: { as: 'billing' }.",
  });
}

/** By convention: `statusCode` (Express, Fastify, Nest), `status` (Koa, Express), `expose` (Nest 12), `getResponse` (Hono). */
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
