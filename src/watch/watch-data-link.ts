import { basename } from 'node:path';
import { watchDirectory } from './watch-directory';
import type { Watcher } from './watch-mount';

/**
 * Watches a Kubernetes mount: one `fs.watch` of the directory, whatever the number of secrets, that acts on the rename of
 * `..data` alone. A watch on a file or on `..data` itself dies with the first swap.
 */
export const watchDataLink: Watcher = (root, directory, events) =>
  // Its own name: the directory itself was moved or deleted.
  watchDirectory(root, directory, ['..data', basename(directory)], events);
