import { createHook } from 'node:async_hooks';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** The number of inotify watches of this process: the `inotify wd:` lines of its descriptors, see proc(5). */
export function inotifyWatches(): number {
  let watches = 0;
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
      watches += info.split('\n').filter((line) => line.startsWith('inotify wd:')).length;
    } catch {
      // The descriptor that was open to list the directory.
    }
  }
  return watches;
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The size of the heap in bytes after all garbage has been collected. */
export async function heapAfterGc(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    collect();
    // Finalizers run between two collections.
    await setImmediate();
  }
  return process.memoryUsage().heapUsed;
}

export function collect(): void {
  if (globalThis.gc === undefined) throw new Error('Run with --expose-gc.');
  globalThis.gc();
}

/**
 * Counts the timers and file watches that are created from now on and still exist. Node's own list omits unref'ed
 * handles, and all of ours are unref'ed.
 */
export function countHandles(): { timers(): number; watches(): number } {
  const alive = new Map<number, string>();
  createHook({
    init(id, type) {
      if (type === 'Timeout' || type === 'FSEVENTWRAP') alive.set(id, type);
    },
    destroy(id) {
      alive.delete(id);
    },
  }).enable();
  const count = (type: string) => [...alive.values()].filter((one) => one === type).length;
  return { timers: () => count('Timeout'), watches: () => count('FSEVENTWRAP') };
}
