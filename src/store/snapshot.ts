import { inspectCustom } from '../internal/builtins';
import type { OfStore } from '../observe/channels';
import { unseal } from '../secret/secret';
import { nameUnknown, storeClosed } from './errors';
import type { Generation } from './generation';
import { type Entry, lookUp } from './resolve';
import type { Boxes, Lists, Snapshot } from './types';

/** The part of the store that a snapshot uses. */
export interface SnapshotOwner {
  readonly owner: OfStore;
  /** Declared names, which read as `undefined` while they have no value. `undefined` if nothing is declared. */
  readonly declared: ReadonlySet<string> | undefined;
  /** Collects the names that the application reads. `undefined` if names are declared. */
  readonly asked: Set<string> | undefined;
  /** Called for an undeclared name that no source listed, but that a source could answer. */
  found(name: string, entry: Entry): void;
}

/** A view of one generation. It never changes: each name gives the same answer on every read, even a missing one. */
export class StoreSnapshot<V> implements Snapshot<V> {
  readonly #of: Generation;
  readonly #store: SnapshotOwner;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #asked: Set<string> | undefined;
  /** Names found on demand. */
  readonly #onDemand = new Map<string, Entry | undefined>();

  constructor(generation: Generation, store: SnapshotOwner) {
    this.#of = generation;
    this.#entries = generation.entries;
    this.#store = store;
    this.#asked = store.asked;
    Object.freeze(this);
  }

  get generation(): number {
    return this.#of.number;
  }

  get takenAt(): Date {
    return new Date(this.#of.madeAt);
  }

  /** The generation, including names that this snapshot found on demand. */
  get state(): Generation {
    const found = [...this.#onDemand].filter((pair): pair is [string, Entry] => pair[1] !== undefined);
    return found.length === 0 ? this.#of : { ...this.#of, entries: new Map([...this.#entries, ...found]) };
  }

  reveal<K extends keyof V & string>(name: K): V[K] {
    return this.#entry(name)?.secret.reveal() as V[K];
  }

  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K] {
    const entry = this.#entry(name);
    if (entry === undefined) return [];
    const now = Date.now();
    const previous = entry.previous.filter(({ until }) => until > now);
    // Only the first counts as a read, because an audit counts names, not values.
    const values = [entry.secret.reveal(), ...previous.map(({ secret }) => unseal(secret))];
    return values as unknown as Lists<V>[K];
  }

  graceEndsAt(name: keyof V & string): Date | undefined {
    const now = Date.now();
    const ends = (this.#entries.get(name)?.previous ?? [])
      .map(({ until }) => until)
      .filter((until) => until > now);
    return ends.length === 0 ? undefined : new Date(Math.min(...ends));
  }

  get<K extends keyof V & string>(name: K): Boxes<V>[K] {
    return this.#entry(name)?.secret as Boxes<V>[K];
  }

  has(name: keyof V & string): boolean {
    if (this.#entries.has(name)) return true;
    if (this.#store.declared !== undefined || this.#of.refused.has(name)) return false;
    try {
      return this.#findOnDemand(name) !== undefined;
    } catch {
      return false;
    }
  }

  names<N extends keyof V & string = keyof V & string>(): readonly N[] {
    return [...this.#entries.keys()] as N[];
  }

  [inspectCustom](): string {
    return `Snapshot { generation: ${this.generation}, secrets: ${this.#entries.size} }`;
  }

  #entry(name: string): Entry | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return this.#miss(name);
    this.#asked?.add(name);
    return entry;
  }

  /** Handles a name without a value: it may be optional, refused, unknown, or undeclared and in the environment. */
  #miss(name: string): Entry | undefined {
    const { declared } = this.#store;
    if (declared?.has(name)) return undefined;
    const refused = this.#of.refused.get(name);
    if (refused !== undefined) {
      this.#asked?.add(name);
      throw refused;
    }
    const entry = declared === undefined ? this.#findOnDemand(name) : undefined;
    if (entry === undefined) {
      throw nameUnknown(name, [...(declared ?? this.#entries.keys())], this.#of.views.keys());
    }
    return entry;
  }

  #findOnDemand(name: string): Entry | undefined {
    if (this.#onDemand.has(name)) return this.#onDemand.get(name);
    const entry = lookUp(name, this.#of.views, this.#store.owner, new Date());
    if (entry === undefined) return undefined;
    this.#onDemand.set(name, entry);
    this.#store.found(name, entry);
    return entry;
  }
}

/** The snapshot of a closed store: every read throws `STORE_CLOSED`. */
export class ClosedSnapshot<V> implements Snapshot<V> {
  readonly generation: number;
  readonly takenAt: Date;

  constructor(generation: number) {
    this.generation = generation;
    this.takenAt = new Date();
  }

  reveal(): never {
    throw storeClosed();
  }

  revealWithPrevious(): never {
    throw storeClosed();
  }

  get(): never {
    throw storeClosed();
  }

  graceEndsAt(): undefined {
    return undefined;
  }

  has(): boolean {
    return false;
  }

  names<N extends keyof V & string = keyof V & string>(): readonly N[] {
    return [];
  }
}
