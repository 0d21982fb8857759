import { watch } from 'node:fs';

/** Callbacks of a watch. All come later than the call that starts it. */
export interface EntryEvents {
  /** `name`: of the entry, or of the directory itself if that was moved or deleted. Some platforms do not report it. */
  changed(event: string, name: string | undefined): void;
  /** The watch is running and sees every later change. */
  opened(): void;
  /** The watch has ended. */
  failed(error: unknown): void;
}

/** Watches the entries of one directory, for writes and renames, and returns what ends the watch. */
export type WatchEntries = (directory: string, events: EntryEvents) => () => void;

/**
 * Loads chokidar when the first plain directory needs it. Where it cannot be imported, Node's own watch does: chokidar is ESM
 * only, and Jest runs modules in a VM; on Node 20, an import that failed once, for want of file descriptors, stays failed.
 */
export async function loadEntryWatch(): Promise<WatchEntries> {
  const chokidar = await import('chokidar').catch(() => undefined);
  return chokidar === undefined ? watchWithNode : watchWithChokidar(chokidar);
}

function watchWithChokidar(chokidar: typeof import('chokidar')): WatchEntries {
  return (directory, { changed, opened, failed }) => {
    let ended = false;
    const watcher = chokidar.watch(directory, {
      persistent: false,
      ignoreInitial: true,
      followSymlinks: false,
      depth: 0,
      // The directory shows what happens to its files. chokidar would watch each of them too.
      ignored: (path) => path !== directory,
    });
    // The other events follow files, and merge changes within 50 ms.
    watcher.on('raw', (event, name) => changed(event, name ?? undefined));
    watcher.on('ready', () => {
      if (!ended) opened();
    });
    watcher.on('error', (error) => {
      ended = true;
      failed(error);
    });
    return () => {
      ended = true;
      void watcher.close();
      // Closing removes the listeners, and work under way may still fail.
      watcher.on('error', () => {});
    };
  };
}

const watchWithNode: WatchEntries = (directory, { changed, opened, failed }) => {
  let ended = false;
  let stop = () => {};
  queueMicrotask(() => {
    if (ended) return;
    try {
      const watcher = watch(directory, { persistent: false }, (event, name) =>
        changed(event, name ?? undefined),
      );
      stop = () => watcher.close();
      watcher.on('error', failed);
      opened();
    } catch (error) {
      failed(error);
    }
  });
  return () => {
    ended = true;
    stop();
  };
};
