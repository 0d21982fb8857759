import type { Boxes, Snapshot } from '../store/types';

/** A snapshot that notes which names are read through it. */
export interface TrackedSnapshot<V> {
  readonly snapshot: Snapshot<V>;
  readonly reads: ReadonlySet<string>;
  /** True when `names()` was asked: then every name counts as read. */
  readonly readsAll: boolean;
}

/** What a recipe reads is what it depends on. */
export function track<V>(snapshot: Snapshot<V>): TrackedSnapshot<V> {
  const reads = new Set<string>();
  let readsAll = false;
  const note = <K extends string>(name: K): K => {
    reads.add(name);
    return name;
  };
  return {
    reads,
    get readsAll() {
      return readsAll;
    },
    snapshot: Object.freeze({
      generation: snapshot.generation,
      takenAt: snapshot.takenAt,
      reveal: <K extends keyof V & string>(name: K): V[K] => snapshot.reveal(note(name)),
      revealAll: <K extends keyof V & string>(name: K) => snapshot.revealAll(note(name)),
      get: <K extends keyof V & string>(name: K): Boxes<V>[K] => snapshot.get(note(name)),
      has: (name: string) => snapshot.has(note(name)),
      names() {
        readsAll = true;
        return snapshot.names();
      },
    }),
  };
}

/** True when a name that was read has another value in `now`. */
export function outdated<V>(tracked: TrackedSnapshot<V>, now: Snapshot<V>): boolean {
  const { snapshot, reads, readsAll } = tracked;
  if (readsAll) return snapshot.generation !== now.generation;
  return [...reads].some((name) => versionIn(snapshot, name) !== versionIn(now, name));
}

/** Asks as a recipe would: a snapshot finds names that nobody declared when they are read. */
function versionIn<V>(snapshot: Snapshot<V>, name: string): string | undefined {
  try {
    return (snapshot.get(name as keyof V & string) as { version: string } | undefined)?.version;
  } catch {
    return undefined;
  }
}
