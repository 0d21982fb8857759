import { watch } from 'node:fs';
import { basename } from 'node:path';
import type { Watcher } from './watch-mount';
import { watchUnavailable } from './watch-unavailable';

/**
 * Watches a Kubernetes mount: one `fs.watch` of the directory, whatever the number of secrets, that acts on the rename of
 * `..data` alone. A watch on a file or on `..data` itself dies with the first swap.
 */
export const watchDataLink: Watcher = (root, { hint, failed }) => {
  const own = basename(root);
  try {
    const watcher = watch(root, { persistent: false }, (_event, name) => {
      // Its own name: the directory itself was moved or deleted. Null: the platform does not say.
      if (name === '..data' || name === own || name === null) hint();
    });
    watcher.on('error', (error) => {
      watcher.close();
      failed(watchUnavailable(root, error));
    });
    return () => watcher.close();
  } catch (error) {
    failed(watchUnavailable(root, error));
    return () => {};
  }
};
