import type { FSWatcher } from 'chokidar';
import { gathered } from './gathered';
import type { Watcher } from './watch-mount';
import { watchUnavailable } from './watch-unavailable';

const DEPTH = 8;

/**
 * Watches plain files, written in place or replaced by rename, also in directories: what chokidar is made for. It is
 * loaded here, because most mounts never need it.
 */
export const watchPlainDirectory: Watcher = (root, directory, { hint, ready, failed }) => {
  let watcher: FSWatcher | undefined;
  let closed = false;
  const hints = gathered(hint);

  async function start(): Promise<void> {
    const { watch } = await import('chokidar');
    if (closed) return;
    watcher = watch(directory, {
      persistent: false,
      ignoreInitial: true,
      followSymlinks: false,
      depth: DEPTH,
    });
    // Of two changes of a file within 50 ms `all` tells one; `raw` tells both.
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
    failed(watchUnavailable(root, error));
  }

  async function close(): Promise<void> {
    closed = true;
    hints.cancel();
    await watcher?.close();
  }

  const started = start().catch(fail);
  return async () => {
    await close();
    await started;
  };
};
