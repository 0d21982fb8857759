import { type FSWatcher, readdirSync, watch } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import type { FSWatcher as ChokidarWatcher } from 'chokidar';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { realTimer } from '../../internal/real-time';
import { DATA_LINK } from './layout';
import { MAX_DEPTH } from './read-files';

/** One way to watch. `directory` is the mount or, for an absent mount, the nearest existing directory above it. */
export type Watcher = (root: string, directory: string, events: WatchEvents) => () => void | Promise<void>;

/** What a watcher reports. */
export interface WatchEvents {
  hint(): void;
  /** From now on the watcher sees every change. */
  ready(): void;
  /** The watcher has ended. Called at most once, and nothing follows it. */
  unavailable(error: SecretsError): void;
}

/** Writers touch several files in a row; a refresh in the middle would only be repeated. */
const GATHER_MS = 25;

/**
 * Watches a Kubernetes mount: one `fs.watch` of the directory, regardless of the number of secrets, that reacts only
 * to the rename of `..data`. A watch on a file or on `..data` itself dies with the first swap.
 */
export const watchDataLink: Watcher = (root, directory, events) =>
  // An event with the directory's own name means that the directory was moved or deleted.
  watchDirectory(root, directory, [DATA_LINK, basename(directory)], events);

/**
 * Watches plain files, in subdirectories too, whether they are written in place or replaced by rename. This is what
 * chokidar is made for. It is loaded lazily, because most mounts never need it. It is ESM only: where nothing can be
 * imported (in Jest, which runs modules in a VM), directories are watched one by one instead.
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
  // A new directory is still empty when its event arrives.
  const hints = gather(events.hint);
  const names = [next as string, basename(directory)];
  const stop = watchDirectory(root, directory, names, { ...events, hint: hints.soon });
  return () => {
    hints.cancel();
    stop();
  };
};

/** Opens one `fs.watch` of a directory that hints when an entry with one of these names appears, changes or goes. */
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
    // The directory vanished after its state was read: the next refresh decides what to watch instead.
    if (errorCode(error) === 'ENOENT') hint();
    else unavailable(watchUnavailable(root, error));
    return () => {};
  }
}

/** Merges calls of `soon` that follow each other closely into one call of `hint`, `GATHER_MS` after the first. */
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
  EMFILE: 'Raise fs.inotify.max_user_instances on the node, or the limit of open files.',
};

function watchUnavailable(root: string, error: unknown): SecretsError {
  const code = errorCode(error) ?? 'unknown error';
  return new SecretsError(
    'WATCH_UNAVAILABLE',
    `${root} cannot be watched (${code}); rotations are found by polling`,
    {
      source: 'mounted-files',
      next: ADVICE[code] ?? 'Lower pollIntervalMs if polling is too slow.',
    },
  );
}
