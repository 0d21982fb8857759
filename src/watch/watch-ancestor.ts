import { basename, relative, sep } from 'node:path';
import { gathered } from './gathered';
import { watchDirectory } from './watch-directory';
import type { Watcher } from './watch-mount';

/** Waits for a mount that is not there: watches the nearest directory above it for the next part of its path. */
export const watchAncestor: Watcher = (root, directory, events) => {
  const [next] = relative(directory, root).split(sep);
  // A directory that has just been made is still empty.
  const hints = gathered(events.hint);
  const names = [next as string, basename(directory)];
  const stop = watchDirectory(root, directory, names, { ...events, hint: hints.soon });
  return () => {
    hints.cancel();
    stop();
  };
};
