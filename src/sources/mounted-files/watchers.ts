import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import type { FSWatcher as ChokidarWatcher } from 'chokidar';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { realTimer } from '../../internal/real-time';
import { DATA_LINK } from './layout';
import { MAX_DEPTH } from './read-files';

/** A way to watch. `directory` is the mount or, for an absent mount, the nearest existing directory above it. */
export type Watcher = (root: string, directory: string, events: WatchEvents) => () => void | Promise<void>;

/** Callbacks of a watcher. */
export interface WatchEvents {
  hint(): void;
  /** The watcher is running and sees every later change. */
  ready(): void;
  /** The watcher has failed. Called at most once, as the last callback. */
  unavailable(error: SecretsError): void;
}

/** Time to gather events: writers touch several files in a row, and an early refresh would have to be repeated. */
const GATHER_MS = 25;

/**
 * Watches a Kubernetes mount with one `fs.watch` of its directory, which reacts only to the rename of `..data`. A watch of a
 * file, or of `..data` itself, would end at the first swap.
 */
export const watchDataLink: Watcher = (root, directory, events) =>
  // An event with the name of the directory means that it was moved or deleted.
  watchDirectory(root, directory, [DATA_LINK, basename(directory)], events);

/**
 * Watches plain files, including subdirectories, whether they are written in place or replaced by rename. Uses chokidar, which
 * is loaded lazily, because most mounts never need it. Where it cannot be imported (it is ESM only, and Jest runs modules in
 * a VM), each directory gets a watch of its own.
 */
export const watchPlainDirectory: Watcher = (root, directory, { hint, ready, unavailable }) => {
  let watcher: ChokidarWatcher | undefined;
  let tree: DirectoryTree | undefined;
  let closed = false;
  const hints = gather(() => {
    // Before the hint: what is written into a new directory until then is read because of it.
    tree?.rescan();
    if (!closed) hint();
  });

  async function start(): Promise<void> {
    const chokidar = await import('chokidar').catch(() => undefined);
    if (closed) return;
    if (chokidar === undefined) {
      tree = new DirectoryTree(directory, hints.soon, fail);
      tree.rescan();
      if (closed) return;
      ready();
      hints.soon();
      return;
    }
    watcher = chokidar.watch(directory, {
      persistent: false,
      ignoreInitial: true,
      followSymlinks: false,
      depth: MAX_DEPTH,
    });
    // When a file changes twice within 50 ms, `all` reports one change and `raw` reports both.
    watcher.on('raw', hints.soon);
    watcher.on('all', hints.soon);
    watcher.on('error', fail);
    watcher.on('ready', () => {
      if (closed) return;
      ready();
      hints.soon();
    });
  }

  function fail(error: unknown): void {
    if (closed) return;
    void close();
    unavailable(watchUnavailable(root, error));
  }

  async function close(): Promise<void> {
    closed = true;
    hints.cancel();
    tree?.close();
    await watcher?.close();
  }

  const started = start().catch(fail);
  return async () => {
    await close();
    await started;
  };
};

/** Watches a directory and those below it, one `fs.watch` each. */
class DirectoryTree {
  readonly #root: string;
  readonly #changed: () => void;
  readonly #failed: (error: unknown) => void;
  #watchers: readonly FSWatcher[] = [];

  constructor(root: string, changed: () => void, failed: (error: unknown) => void) {
    this.#root = root;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** Watches what is there now. A directory that was made anew has the old path, and maybe the old inode: all are replaced. */
  rescan(): void {
    const replaced = this.#watchers;
    const watchers: FSWatcher[] = [];
    this.#watchers = watchers;
    try {
      this.#add(this.#root, 0, watchers);
    } catch (error) {
      this.#failed(error);
    }
    for (const watcher of replaced) watcher.close();
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #add(path: string, depth: number, watchers: FSWatcher[]): void {
    try {
      const watcher = watch(path, { persistent: false }, this.#changed);
      watchers.push(watcher);
      watcher.on('error', this.#failed);
      if (depth === MAX_DEPTH) return;
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory()) this.#add(join(path, entry.name), depth + 1, watchers);
      }
    } catch (error) {
      // It vanished meanwhile: the directory above tells of that, and the next refresh of the mount's own end.
      if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
    }
  }
}

/** Waits for an absent mount: watches the nearest existing directory above it for the next part of the path. */
export const watchAncestor: Watcher = (root, directory, events) => {
  const [next] = relative(directory, root).split(sep);
  // Gather events, because a new directory is still empty when its event arrives.
  const hints = gather(events.hint);
  const names = [next as string, basename(directory)];
  const stop = watchDirectory(root, directory, names, { ...events, hint: hints.soon });
  return () => {
    hints.cancel();
    stop();
  };
};

/** Opens one `fs.watch` of a directory. Hints when an entry with one of `names` appears, changes or disappears. */
function watchDirectory(
  root: string,
  directory: string,
  names: readonly string[],
  { hint, ready, unavailable }: WatchEvents,
): () => void {
  try {
    const watcher = watch(directory, { persistent: false }, (_event, name) => {
      // Some platforms do not report the name.
      if (name === null || names.includes(name)) hint();
    });
    watcher.on('error', (error) => {
      watcher.close();
      unavailable(watchUnavailable(root, error));
    });
    ready();
    return () => watcher.close();
  } catch (error) {
    // The directory vanished after its state was read. The next refresh decides what to watch instead.
    if (errorCode(error) === 'ENOENT') hint();
    else unavailable(watchUnavailable(root, error));
    return () => {};
  }
}

/** Merges calls of `soon` in quick succession into one call of `hint`, `GATHER_MS` after the first. */
function gather(hint: () => void): { soon(): void; cancel(): void } {
  let cancel: (() => void) | undefined;
  return {
    soon() {
      cancel ??= realTimer(GATHER_MS, () => {
        cancel = undefined;
        hint();
      });
    },
    cancel() {
      cancel?.();
      cancel = undefined;
    },
  };
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'Raise fs.inotify.max_user_watches on the node.',
  ERR_ACCESS_DENIED: 'Let Node read the directory above it too (--allow-fs-read), or lower pollIntervalMs.',
  EMFILE: 'Raise fs.inotify.max_user_instances on the node, or the limit of open files.',
};

function watchUnavailable(root: string, error: unknown): SecretsError {
  const code = errorCode(error) ?? 'unknown error';
  return new SecretsError(
    'WATCH_UNAVAILABLE',
    `${root} cannot be watched (${code}); polling finds rotations instead`,
    {
      source: 'mounted-files',
      next: ADVICE[code] ?? 'If polling is too slow, lower pollIntervalMs.',
    },
  );
}
