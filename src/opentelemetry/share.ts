type Running = Map<string, { users: number; readonly stop: () => void }>;

// A symbol of the registry: the ESM and CJS copies of the package count into the same meter.
const RUNNING = Symbol.for('hot-secrets.instrumented');
const registry = globalThis as { [RUNNING]?: WeakMap<object, Running> };
registry[RUNNING] ??= new WeakMap();
const running = registry[RUNNING];

/**
 * Starts what runs once per target, however often it is asked for: two instrumentations of one store must not count
 * everything twice into one meter. Returns what lets go of it; the last one stops it.
 */
export function share(target: object, what: string, start: () => () => void): () => void {
  const all = running.get(target) ?? new Map();
  running.set(target, all);
  const shared = all.get(what) ?? { users: 0, stop: start() };
  all.set(what, shared);
  shared.users += 1;
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    shared.users -= 1;
    if (shared.users > 0) return;
    all.delete(what);
    shared.stop();
  };
}
