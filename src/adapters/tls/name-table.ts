import type { SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import { Events } from '../../internal/events';
import { rejectUnknownOptions } from '../../internal/options';
import { listenerFailure, warn } from '../../internal/warnings';
import { rotatingOptions } from '../../rotation/rotating';
import { Rotation } from '../../rotation/rotation';
import { type TrackedSnapshot, track } from '../../rotation/tracked';
import type { RotatingOptions, RotationEvents } from '../../rotation/types';
import type { SecretStore } from '../../store/types';
import { ContextSlot, type SwapCount } from './context-slot';
import { buildContext, type ContextRecipe, type ServedContext } from './served-context';
import { namesFor, serverName } from './server-name';
import type { ServerNames, ServerNamesOptions } from './server-names';

/** What a server needs of the names that are attached with it. */
export interface NamesInside {
  readonly count: SwapCount;
  readonly drainTimeoutMs: number | undefined;
  /** Where a connection that came after so many swaps got its context, if not by default. */
  slotOf(host: string, acceptedAt: number): ContextSlot | undefined;
  /** What the names serve, in the order of the names. */
  served(): SecureContextOptions[];
  /** Calls `swapped` after each swap. Returns what ends that; the names close with the last server. */
  join(swapped: () => void): () => Promise<void>;
}

interface Entry<V> {
  readonly slot: ContextSlot;
  readonly rotation: Rotation<ServedContext, V>;
}

/** A name whose first context is built and checked. */
interface Prepared<V> {
  readonly name: string;
  readonly recipe: ContextRecipe<V>;
  readonly tracked: TrackedSnapshot<V>;
  readonly first: ServedContext;
}

// A symbol of the registry, so that names pass between the ESM and CJS copies of the package.
const INSIDE = Symbol.for('hot-secrets.server-names');
const WHERE = 'createServerNames';

export function insideOf(names: object): NamesInside | undefined {
  return (names as { readonly [INSIDE]?: NamesInside } | null)?.[INSIDE];
}

export class NameTable<V> implements ServerNames<V> {
  readonly #store: SecretStore<V>;
  readonly #drainTimeoutMs: number | undefined;
  readonly #engine: Required<RotatingOptions>;
  readonly #events = new Events<RotationEvents>((event, error) => this.#listenerFailed(event, error));
  readonly #entries = new Map<string, Entry<V>>();
  /** Removed or replaced, with connections that are not gone yet. */
  readonly #leaving = new Set<Entry<V>>();
  readonly #joined = new Set<() => void>();
  #lastDeleted: ContextSlot | undefined;
  readonly #count: SwapCount = { swaps: 0 };
  #closing: Promise<void> | undefined;

  constructor(
    store: SecretStore<V>,
    recipes: Readonly<Record<string, ContextRecipe<V>>>,
    options: ServerNamesOptions,
  ) {
    rejectUnknownOptions(WHERE, options, ['drainTimeoutMs', 'retryBaseMs', 'retryMaxMs']);
    this.#store = store;
    this.#drainTimeoutMs = options.drainTimeoutMs;
    const given = Object.entries(options).filter(([, value]) => value !== undefined);
    const engine = { drainTimeoutMs: Number.POSITIVE_INFINITY, ...Object.fromEntries(given) };
    this.#engine = rotatingOptions(WHERE, engine);
    const prepared = Object.entries(recipes).map(([name, recipe]) => this.#prepare(serverName(name), recipe));
    const twice = prepared.find(
      ({ name }, index) => prepared.findIndex((one) => one.name === name) !== index,
    );
    if (twice !== undefined) {
      throw new SecretsError('OPTION_INVALID', `${WHERE} was given "${twice.name}" twice`, {
        next: 'Upper and lower case are one name.',
      });
    }
    for (const one of prepared) this.#put(one);
  }

  readonly SNICallback: ServerNames<V>['SNICallback'] = (servername, callback) => {
    callback(null, this.#find(servername)?.current.context);
  };

  get [INSIDE](): NamesInside {
    return {
      count: this.#count,
      drainTimeoutMs: this.#drainTimeoutMs,
      slotOf: (host, acceptedAt) => this.#slotOf(host, acceptedAt),
      served: () => this.names().map((name) => this.#entries.get(name)?.slot.current.options ?? {}),
      join: (swapped) => this.#join(swapped),
    };
  }

  set(name: string, recipe: ContextRecipe<V>): void {
    if (this.#closing !== undefined) throw new SecretsError('ROTATION_CLOSED', 'the server names are closed');
    this.#put(this.#prepare(serverName(name), recipe));
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

  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#events.clear();
    const entries = [...this.#entries.values(), ...this.#leaving];
    for (const { slot } of entries) slot.stop();
    await Promise.all(entries.map(({ rotation }) => rotation.close()));
  }

  #slotOf(host: string, acceptedAt: number): ContextSlot | undefined {
    // Its handshake was under way when a name was deleted, maybe its own.
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

  #prepare(name: string, recipe: ContextRecipe<V>): Prepared<V> {
    const tracked = track(this.#store.snapshot());
    return { name, recipe, tracked, first: buildContext(called(name), recipe, tracked.snapshot) };
  }

  #put({ name, recipe, tracked, first }: Prepared<V>): void {
    const old = this.#entries.get(name);
    old?.slot.swap(first);
    const slot = old?.slot ?? new ContextSlot(this.#count, first, this.#drainTimeoutMs);
    const rotation = new Rotation<ServedContext, V>(
      this.#store,
      {
        build: (snapshot) => buildContext(called(name), recipe, snapshot),
        drain: (served) => slot.drain(served),
        dispose: (served) => slot.force(served),
      },
      { ...this.#engine, name: called(name) },
      { initial: { resource: first, tracked }, face: { kind: 'tls-name' } },
    );
    // Before any listener of the user: whoever hears of the rotation finds the name switched.
    rotation.on('swapped', () => {
      slot.swap(rotation.current);
      this.#swapped();
    });
    this.#passOn(name, rotation);
    this.#entries.set(name, { slot, rotation });
    if (old !== undefined) this.#leave(old);
  }

  #leave(entry: Entry<V>): void {
    this.#leaving.add(entry);
    void entry.rotation.close().then(() => this.#leaving.delete(entry));
  }

  #swapped(): void {
    for (const swapped of this.#joined) swapped();
  }

  #passOn(name: string, rotation: Rotation<ServedContext, V>): void {
    rotation.on('swapped', (event) => this.#events.emit('swapped', { ...event, name }));
    rotation.on('drained', (event) => this.#events.emit('drained', { ...event, name }));
    rotation.on('rejected', (event) => {
      this.#events.emit('rejected', { ...event, name });
      if (!this.#events.has('rejected')) warn(event.error);
    });
    rotation.on('error', (error) => this.#say(error));
  }

  #say(error: SecretsError): void {
    if (this.#events.has('error')) this.#events.emit('error', error);
    else warn(error);
  }

  #listenerFailed(event: string, error: unknown): void {
    const failure = listenerFailure(event, error);
    if (event === 'error') warn(failure);
    else this.#say(failure);
  }
}

/** What errors call the resource of a name. */
function called(name: string): string {
  return `server name ${name}`;
}
