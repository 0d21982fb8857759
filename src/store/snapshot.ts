import { type Secret, unseal } from '../secret/secret';
import type { Boxes, Lists, Snapshot } from './types';

/** What serves a name: its current box, and the boxes before it with the time until which `revealWithPrevious` shows them. */
export interface Serving {
  readonly secret: Secret<unknown>;
  readonly digest: string;
  /** Index of the source in order of precedence. */
  readonly sourceIndex: number;
  readonly previous: readonly { readonly secret: Secret<unknown>; readonly until: number }[];
}

/** Answers for a name that has no value: returns, where that is allowed, or throws. */
export type Miss = (name: string) => Serving | undefined;

export class StoreSnapshot<V> implements Snapshot<V> {
  readonly generation: number;
  readonly takenAt: Date;
  readonly #entries: ReadonlyMap<string, Serving>;
  readonly #miss: Miss;

  constructor(generation: number, takenAt: Date, entries: ReadonlyMap<string, Serving>, miss: Miss) {
    this.generation = generation;
    this.takenAt = takenAt;
    this.#entries = entries;
    this.#miss = miss;
    Object.freeze(this);
  }

  reveal<K extends keyof V & string>(name: K): V[K] {
    const serving = this.#entries.get(name) ?? this.#miss(name);
    return serving?.secret.reveal() as V[K];
  }

  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K] {
    const serving = this.#entries.get(name) ?? this.#miss(name);
    if (serving === undefined) return [];
    const now = Date.now();
    const previous = serving.previous.filter(({ until }) => until > now);
    // One read of one name, however many values it has.
    const values = [serving.secret.reveal(), ...previous.map(({ secret }) => unseal(secret))];
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
    return (this.#entries.get(name) ?? this.#miss(name))?.secret as Boxes<V>[K];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }
}
