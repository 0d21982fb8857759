import { watch } from 'node:fs';
import { errorCode } from '../internal/describe-error';
import type { WatchEvents } from './watch-mount';
import { watchUnavailable } from './watch-unavailable';

/** One `fs.watch` of one directory that hints when an entry of one of these names comes, goes or changes. */
export function watchDirectory(
  root: string,
  directory: string,
  names: readonly string[],
  { hint, ready, failed }: WatchEvents,
): () => void {
  try {
    const watcher = watch(directory, { persistent: false }, (_event, name) => {
      // Null: the platform does not say.
      if (name === null || names.includes(name)) hint();
    });
    watcher.on('error', (error) => {
      watcher.close();
      failed(watchUnavailable(root, error));
    });
    ready();
    return () => watcher.close();
  } catch (error) {
    // It went between the look that led here and now: the next look says what to watch instead.
    if (errorCode(error) === 'ENOENT') hint();
    else failed(watchUnavailable(root, error));
    return () => {};
  }
}
