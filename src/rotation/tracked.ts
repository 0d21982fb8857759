import { builtin } from '../internal/builtins';
import { subscribe } from '../observe/channels';
import { observedOf } from '../observe/observed';
import { type Secret, unseal } from '../secret/secret';
import type { Boxes, Snapshot } from '../store/types';
import type { RotationStore } from './types';

/** A snapshot that records which names are read through it. */
export interface TrackedSnapshot<V> {
  readonly snapshot: Snapshot<V>;
  readonly reads: ReadonlySet<string>;
  /** True once `names()` was called: every name then counts as read. */
  readonly readsAll: boolean;
  /** When the grace of the first previous value ends, by `performance.now()`; `Infinity` for never. */
  readonly graceEndsAt: number;
  /** Names that `run` read from the store itself, whose values may belong to another generation. */
  readonly storeReads: ReadonlySet<string>;
  /** Runs a recipe, or the synchronous part of a builder. Later reads through the snapshot count too. */
  run<T>(recipe: () => T): T;
  /** Calls `listener` at each later first read of a name. */
  onLateRead(listener: () => void): void;
}

/** The innermost running recipe. A recipe may make another resource, whose reads do not count as its own. */
let running: object | undefined;

/** Takes a snapshot that records its reads: a resource depends on the secrets that its recipe reads. */
export function track<V>(store: RotationStore<V>): TrackedSnapshot<V> {
  const snapshot = store.snapshot();
  const reads = new Set<string>();
  const storeReads = new Set<string>();
  /** Names whose boxes were returned: revealing such a box counts as reading the snapshot. */
  const boxed = new Set<string>();
  let readsAll = false;
  let graceEndsAt = Number.POSITIVE_INFINITY;
  let reading = false;
  let late = () => {};
  const read = <T>(name: string, from: () => T): T => {
    if (!reads.has(name)) late();
    reads.add(name);
    reading = true;
    try {
      return from();
    } finally {
      reading = false;
    }
  };
  const tracked: TrackedSnapshot<V> = {
    reads,
    storeReads,
    get readsAll() {
      return readsAll;
    },
    get graceEndsAt() {
      return graceEndsAt;
    },
    run(recipe) {
      const outer = running;
      running = tracked;
      const unsubscribe = subscribe(
        {
          'hot-secrets:secret:access': ({ name }) => {
            if (running === tracked && !reading && !boxed.has(name)) storeReads.add(name);
          },
        },
        observedOf(store).storeId,
      );
      try {
        return recipe();
      } finally {
        unsubscribe();
        running = outer;
      }
    },
    onLateRead(listener) {
      late = listener;
    },
    snapshot: Object.freeze({
      generation: snapshot.generation,
      takenAt: snapshot.takenAt,
      reveal: <K extends keyof V & string>(name: K): V[K] => read(name, () => snapshot.reveal(name)),
      revealWithPrevious: <K extends keyof V & string>(name: K) => {
        const ends = snapshot.graceEndsAt(name);
        // At once, because the date of the machine may jump until then.
        if (ends !== undefined)
          graceEndsAt = Math.min(graceEndsAt, performance.now() + ends.getTime() - Date.now());
        return read(name, () => snapshot.revealWithPrevious(name));
      },
      graceEndsAt: (name: keyof V & string) => read(name, () => snapshot.graceEndsAt(name)),
      get: <K extends keyof V & string>(name: K): Boxes<V>[K] => {
        boxed.add(name);
        return read(name, () => snapshot.get(name));
      },
      has: (name: keyof V & string) => read(name, () => snapshot.has(name)),
      names<N extends keyof V & string = keyof V & string>() {
        readsAll = true;
        return snapshot.names<N>();
      },
    }),
  };
  return tracked;
}

/** True if a name that was read has another value in `now`, or other tags, which may hold half of a credential. */
export function outdated<V>(tracked: TrackedSnapshot<V>, now: Snapshot<V>): boolean {
  const { snapshot, reads, readsAll } = tracked;
  if (readsAll) return snapshot.generation !== now.generation;
  const { isDeepStrictEqual } = builtin('util');
  return [...reads].some((name) => !isDeepStrictEqual(markIn(snapshot, name), markIn(now, name)));
}

/** True if two recipes read the same names, and tokens are all that differs between their values. */
export function onlyTokensDiffer<V>(before: TrackedSnapshot<V>, after: TrackedSnapshot<V>): boolean {
  // A previous value that ends is a difference too.
  if (before.readsAll || after.readsAll || before.graceEndsAt !== Number.POSITIVE_INFINITY) return false;
  const { isDeepStrictEqual } = builtin('util');
  // No other name may be read here: it would count as a read of the recipe.
  if (!isDeepStrictEqual(before.reads, after.reads)) return false;
  const different = [...after.reads].filter(
    (name) => !isDeepStrictEqual(markIn(before.snapshot, name), markIn(after.snapshot, name)),
  );
  return different.length > 0 && different.every((name) => isToken(after.snapshot, name));
}

function isToken<V>(snapshot: Snapshot<V>, name: string): boolean {
  const box = snapshot.get(name as keyof V & string) as Secret<unknown> | undefined;
  return box?.attributes.token === true;
}

/** Reads the box, because a snapshot finds undeclared names only when they are read. */
function markIn<V>(snapshot: Snapshot<V>, name: string): unknown {
  try {
    const box = snapshot.get(name as keyof V & string) as Secret<unknown> | undefined;
    // Versions may repeat: a vault was recreated, or the name moved to another source.
    return [box?.version, box && unseal(box), box?.attributes.tags];
  } catch {
    return [undefined, undefined];
  }
}
