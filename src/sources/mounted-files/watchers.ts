import { watch } from 'node:fs';
import { basename, relative, sep } from 'node:path';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { realTimer } from '../../internal/real-time';
import { DirectoryTree } from './directory-tree';
import { DATA_LINK } from './paths';
import type { Wanted } from './read-files';

/** A way to watch. `directory` is the mount or, for an absent mount, the nearest existing directory above it. */
export type Watcher = (root: string, directory: string, events: WatchEvents) => RunningWatcher;

export interface RunningWatcher {
  /** Called before each read, so that its files are watched before they are read, and those that are mounted one by one. */
  fit?(wanted: Wanted, singleFiles: readonly string[]): void;
  stop(): void;
}

/** Callbacks of a watcher. */
export interface WatchEvents {
  hint(): void;
  /** The watcher is running and sees every later change. */
  ready(): void;
  /** A part of the watcher has failed. The next call of `fit` tries again and calls `ready` if that helps. */
  limited(error: SecretsError): void;
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
 * Watches plain files, whether they are written in place or replaced by rename, by the directories that matter to the wanted
 * files.
 */
export const watchPlainDirectory: Watcher = (root, _directory, { hint, ready, limited }) => {
  const hints = gather(hint);
  const tree = new DirectoryTree(root, {
    changed: hints.soon,
    failed: (directory, error) => limited(watchUnavailable(directory, error)),
    complete: ready,
  });
  return {
    fit: (wanted, singleFiles) => tree.fit(wanted, singleFiles),
    stop() {
      hints.cancel();
      tree.close();
    },
  };
};

/** Waits for an absent mount: watches the nearest existing directory above it for the next part of the path. */
export const watchAncestor: Watcher = (root, directory, events) => {
  const [next] = relative(directory, root).split(sep);
  // Gather events, because a new directory is still empty when its event arrives.
  const hints = gather(events.hint);
  const names = [next as string, basename(directory)];
  const { stop } = watchDirectory(root, directory, names, { ...events, hint: hints.soon });
  return {
    stop() {
      hints.cancel();
      stop();
    },
  };
};

/** Opens one `fs.watch` of a directory. Hints when an entry with one of `names` appears, changes or disappears. */
function watchDirectory(
  root: string,
  directory: string,
  names: readonly string[],
  { hint, ready, unavailable }: WatchEvents,
): RunningWatcher {
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
    return { stop: () => watcher.close() };
  } catch (error) {
    // The directory vanished after its state was read. The next refresh decides what to watch instead.
    if (errorCode(error) === 'ENOENT') hint();
    else unavailable(watchUnavailable(root, error));
    return { stop() {} };
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
  EACCES: 'Allow the user of this process to list the directory.',
  EMFILE: 'Raise fs.inotify.max_user_instances on the node, or the limit of open files.',
};

function watchUnavailable(directory: string, error: unknown): SecretsError {
  const code = errorCode(error) ?? 'unknown error';
  return new SecretsError(
    'WATCH_UNAVAILABLE',
    `${directory} cannot be watched (${code}); polling finds rotations instead`,
    {
      source: 'mounted-files',
      next: ADVICE[code] ?? 'If polling is too slow, lower pollIntervalMs.',
    },
  );
}
