import type { SecureContext, SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import type { Listenable } from '../../internal/events';
import { kindOf, ms, oneOf, readOptions } from '../../internal/options';
import { RotatingClient } from '../../rotation/client';
import { Closing } from '../../rotation/lifetime';
import { assertStore } from '../../rotation/recipe';
import { acceptedByNode, listenableOf, ResourceEvents } from '../../rotation/resource-events';
import type { RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import {
  type ContextRecipe,
  ContextSlot,
  type ServedContext,
  type SwapCount,
  serveContext,
} from './context-slot';
import { namesFor, serverName } from './server-name';

/** Durations are milliseconds. */
export interface ServerNamesOptions {
  /** How long connections may stay on the old certificate of a name (see `AttachOptions`). Default: they stay open. */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * What to do with the certificate of a name without intermediates if the one before had some: `reject` (default) keeps the old one,
   * because clients may need them; `accept` uses it.
   */
  readonly shorterChain?: 'reject' | 'accept' | undefined;
  /** First step of the backoff between attempts with a pair that failed. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** The longest step of the backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/**
 * Certificates by requested server name. `name` in the events is the server name. Problems also reach the
 * `error` listeners of the store.
 */
export interface ServerNames<V> extends AsyncDisposable, Listenable<RotationEvents> {
  /** The option to create the server with. */
  readonly SNICallback: (
    servername: string,
    callback: (error: Error | null, context?: SecureContext) => void,
  ) => void;
  /** Adds a name, or replaces its recipe. Throws as `createServerNames` does, and `ROTATION_CLOSED` after `close()`. */
  set(name: string, recipe: ContextRecipe<V>): void;
  /** Removes a name. Returns false if it was not there. */
  delete(name: string): boolean;
  /** The names, in lower case. */
  names(): readonly string[];
  /** Stops following the store; each name keeps its pair. May be called again. */
  close(): Promise<void>;
}

/**
 * Creates certificates by requested server name (SNI). Each follows its own secrets, so a bad pair leaves that
 * name on its old one and the others untouched. The exact name comes first, then its wildcard (`*.example.com`, one
 * label), then the server's default. Attach them with the server; otherwise sessions of a replaced certificate are resumed.
 *
 * Only the pair and `ca` that a recipe returns count; versions and ciphers are the server's. If the server requests client
 * certificates, each name needs the `ca` to check them against.
 *
 * Throws `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`, `TLS_OPTIONS_INVALID`,
 * `OPTION_UNKNOWN`, `OPTION_INVALID`, without having changed anything. Later all but the last two are `rejected` events, as is
 * `CERTIFICATE_CHAIN_INCOMPLETE`.
 *
 * @example
 * ```ts
 * const names = createServerNames(secrets, { 'api.example.com': (s) => s.reveal('api') });
 * const server = https.createServer({ SNICallback: names.SNICallback }, handler);
 * attachSecureContext(server, secrets, (s) => s.reveal('web'), { names });
 * ```
 */
export function createServerNames<V>(
  store: SecretStore<V>,
  recipes: Readonly<Record<string, ContextRecipe<V>>>,
  options: ServerNamesOptions = {},
): ServerNames<V> {
  assertStore(WHERE, store);
  if (typeof recipes !== 'object' || recipes === null) {
    const what = `${WHERE} needs an object of names and recipes, not ${kindOf(recipes)}`;
    throw new SecretsError('OPTION_INVALID', what, {
      next: `Call ${WHERE}(secrets, { 'api.example.com': (s) => … }).`,
    });
  }
  const settings = readOptions(WHERE, options, {
    drainTimeoutMs: ms(),
    shorterChain: oneOf('reject', 'accept'),
    retryBaseMs: ms(1_000),
    retryMaxMs: ms(30_000),
  });
  return acceptedByNode(new NameTable(store, recipes, settings));
}

/** The part of the names that an attached server uses. */
export interface ServerNamesInternals {
  readonly count: SwapCount;
  readonly drainTimeoutMs: number | undefined;
  /** Returns the slot that served a connection which arrived after `acceptedAt` swaps; `undefined` for the default. */
  slotOf(host: string, acceptedAt: number): ContextSlot | undefined;
  /** The options of all names, in the order of the names. */
  served(): SecureContextOptions[];
  /** Calls `swapped` after each swap. Returns a function that stops it; the names close with the last server. */
  join(swapped: () => void): () => Promise<void>;
}

interface NameSettings {
  readonly drainTimeoutMs: number | undefined;
  readonly shorterChain: 'reject' | 'accept';
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
}

type NameClient<V> = RotatingClient<V, SecureContextOptions, ServedContext>;

interface Entry<V> {
  readonly slot: ContextSlot;
  readonly client: NameClient<V>;
}

// A registered symbol, so that names pass between the ESM and CJS copies of the package.
const INTERNALS = Symbol.for('hot-secrets.server-names');
const WHERE = 'createServerNames';

export function internalsOf(names: object): ServerNamesInternals | undefined {
  return (names as { readonly [INTERNALS]?: ServerNamesInternals } | null)?.[INTERNALS];
}

class NameTable<V> implements ServerNames<V> {
  readonly on: ServerNames<V>['on'];
  readonly once: ServerNames<V>['once'];
  readonly off: ServerNames<V>['off'];
  readonly #store: SecretStore<V>;
  readonly #settings: NameSettings;
  readonly #events: ResourceEvents;
  readonly #entries = new Map<string, Entry<V>>();
  /** Names that were removed or replaced and still have connections. */
  readonly #leaving = new Set<Entry<V>>();
  readonly #joined = new Set<() => void>();
  readonly #count: SwapCount = { swaps: 0 };
  readonly #closing = new Closing();
  #lastDeleted: ContextSlot | undefined;

  constructor(
    store: SecretStore<V>,
    recipes: Readonly<Record<string, ContextRecipe<V>>>,
    settings: NameSettings,
  ) {
    this.#store = store;
    this.#settings = settings;
    this.#events = new ResourceEvents(store, 'server names');
    ({ on: this.on, once: this.once, off: this.off } = listenableOf(this.#events));
    const prepared = Object.entries(recipes).map(([name, recipe]) => this.#prepare(serverName(name), recipe));
    const twice = prepared.find(
      ({ name }, index) => prepared.findIndex((one) => one.name === name) !== index,
    );
    if (twice !== undefined) {
      throw new SecretsError('OPTION_INVALID', `${WHERE} was given "${twice.name}" twice`, {
        next: 'Server names ignore case.',
      });
    }
    for (const { name, client } of prepared) this.#put(name, client);
  }

  readonly SNICallback: ServerNames<V>['SNICallback'] = (servername, callback) => {
    callback(null, this.#find(servername)?.current.context);
  };

  get [INTERNALS](): ServerNamesInternals {
    return {
      count: this.#count,
      drainTimeoutMs: this.#settings.drainTimeoutMs,
      slotOf: (host, acceptedAt) => this.#slotOf(host, acceptedAt),
      served: () => this.names().map((name) => this.#entries.get(name)?.slot.current.options ?? {}),
      join: (swapped) => this.#join(swapped),
    };
  }

  set(name: string, recipe: ContextRecipe<V>): void {
    if (this.#closing.started) throw new SecretsError('ROTATION_CLOSED', 'the server names are closed');
    const prepared = this.#prepare(serverName(name), recipe);
    this.#put(prepared.name, prepared.client);
    this.#swapped();
  }

  delete(name: string): boolean {
    const normal = serverName(name);
    const entry = this.#entries.get(normal);
    if (entry === undefined) return false;
    this.#entries.delete(normal);
    entry.slot.end();
    this.#lastDeleted = entry.slot;
    this.#leave(entry);
    this.#swapped();
    return true;
  }

  names(): readonly string[] {
    return [...this.#entries.keys()].sort();
  }

  close(): Promise<void> {
    return this.#closing.once(async () => {
      // Each name keeps its pair, although its last events would say otherwise.
      this.#events.clear();
      const entries = [...this.#entries.values(), ...this.#leaving];
      for (const { slot } of entries) slot.stop();
      await Promise.all(entries.map(({ client }) => client.stop()));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #slotOf(host: string, acceptedAt: number): ContextSlot | undefined {
    // A name was deleted during the handshake, perhaps the requested one.
    const deleted = this.#lastDeleted;
    if (host !== '' && deleted !== undefined && acceptedAt < deleted.current.until) return deleted;
    return this.#find(host);
  }

  #find(host: string): ContextSlot | undefined {
    for (const name of namesFor(host)) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) return entry.slot;
    }
    return undefined;
  }

  #join(swapped: () => void): () => Promise<void> {
    this.#joined.add(swapped);
    return async () => {
      if (this.#joined.delete(swapped) && this.#joined.size === 0) await this.close();
    };
  }

  /** Builds and checks the first context of a name. */
  #prepare(
    name: string,
    recipe: ContextRecipe<V>,
  ): { readonly name: string; readonly client: NameClient<V> } {
    const called = `server name ${name}`;
    const { drainTimeoutMs = Number.POSITIVE_INFINITY, shorterChain, ...retry } = this.#settings;
    let made: NameClient<V> | undefined;
    // The first pair of a recipe falls short of none.
    const before = () => (shorterChain === 'reject' ? made?.current.options : undefined);
    const client = new RotatingClient(WHERE, {
      kind: 'tls-name',
      store: this.#store,
      recipe,
      returns: 'tls.createSecureContext',
      options: { name: called, drainTimeoutMs, ...retry },
      shared: { events: this.#events, label: name },
      connect: (options: SecureContextOptions) => serveContext(called, options, { before: before() }),
    });
    made = client;
    return { name, client };
  }

  #put(name: string, client: NameClient<V>): void {
    const old = this.#entries.get(name);
    old?.slot.swap(client.current);
    const slot = old?.slot ?? new ContextSlot(this.#count, client.current, this.#settings.drainTimeoutMs);
    client.follow({
      swap: (served) => {
        slot.swap(served);
        this.#swapped();
      },
      drained: (served) => slot.drain(served),
      close: (served) => slot.force(served),
    });
    this.#entries.set(name, { slot, client });
    if (old !== undefined) this.#leave(old);
  }

  #leave(entry: Entry<V>): void {
    this.#leaving.add(entry);
    void entry.client.stop().then(() => this.#leaving.delete(entry));
  }

  #swapped(): void {
    for (const swapped of this.#joined) swapped();
  }
}
