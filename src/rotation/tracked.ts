import { isDeepStrictEqual } from 'node:util';
import type { Secret } from '../secret/secret';
import type { Boxes, Snapshot } from '../store/types';

/** A snapshot that notes which names are read through it. */
export interface TrackedSnapshot<V> {
  readonly snapshot: Snapshot<V>;
  readonly reads: ReadonlySet<string>;
  /** True when `names()` was asked: then every name counts as read. */
  readonly readsAll: boolean;
  /** When `revealWithPrevious` returns less than it did: milliseconds since the epoch, `Infinity` for never. */
  readonly graceEndsAt: number;
}

/** What a recipe reads is what it depends on. */
export function track<V>(snapshot: Snapshot<V>): TrackedSnapshot<V> {
  const reads = new Set<string>();
  let readsAll = false;
  let graceEndsAt = Number.POSITIVE_INFINITY;
  const note = <K extends string>(name: K): K => {
    reads.add(name);
    return name;
  };
  return {
    reads,
    get readsAll() {
      return readsAll;
    },
    get graceEndsAt() {
      return graceEndsAt;
    },
    snapshot: Object.freeze({
      generation: snapshot.generation,
      takenAt: snapshot.takenAt,
      reveal: <K extends keyof V & string>(name: K): V[K] => snapshot.reveal(note(name)),
      revealWithPrevious: <K extends keyof V & string>(name: K) => {
        graceEndsAt = Math.min(graceEndsAt, snapshot.graceEndsAt(name)?.getTime() ?? graceEndsAt);
        return snapshot.revealWithPrevious(note(name));
      },
      graceEndsAt: (name: keyof V & string) => snapshot.graceEndsAt(note(name)),
      get: <K extends keyof V & string>(name: K): Boxes<V>[K] => snapshot.get(note(name)),
      has: (name: keyof V & string) => snapshot.has(note(name)),
      names<N extends keyof V & string = keyof V & string>() {
        readsAll = true;
        return snapshot.names<N>();
      },
    }),
  };
}

/** True when a name that was read has another value in `now`, or other tags, which may hold half of a credential. */
export function outdated<V>(tracked: TrackedSnapshot<V>, now: Snapshot<V>): boolean {
  const { snapshot, reads, readsAll } = tracked;
  if (readsAll) return snapshot.generation !== now.generation;
  return [...reads].some((name) => !isDeepStrictEqual(markIn(snapshot, name), markIn(now, name)));
}

/** Asks as a recipe would: a snapshot finds names that nobody declared when they are read. */
function markIn<V>(snapshot: Snapshot<V>, name: string): unknown {
  try {
    const box = snapshot.get(name as keyof V & string) as Secret<unknown> | undefined;
    return [box?.version, box?.attributes.tags];
  } catch {
    return [undefined, undefined];
  }
}
