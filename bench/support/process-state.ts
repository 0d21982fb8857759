import { createHook } from 'node:async_hooks';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

/** inotify watches that this process holds: the lines `inotify wd:` of its descriptors, see proc(5). */
export function inotifyWatches(): number {
  let watches = 0;
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8');
      watches += info.split('\n').filter((line) => line.startsWith('inotify wd:')).length;
    } catch {
      // The descriptor that listed the directory.
    }
  }
  return watches;
}

export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** The heap in bytes when nothing that can be collected is left. */
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
 * Counts timers and file watches that are alive, from now on. Node's own list leaves out what is unref'ed, and ours
 * all is.
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
