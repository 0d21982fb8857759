import type { FSWatcher } from 'chokidar';
import { unrefTimer } from '../internal/time';
import type { Watcher } from './watch-mount';
import { watchUnavailable } from './watch-unavailable';

const DEPTH = 8;
/** Writers touch several files one after the other; a look in the middle would only be repeated. */
const GATHER_MS = 25;

/**
 * Watches plain files, written in place or replaced by rename, and a directory that is not there yet: what chokidar
 * is made for. It is loaded here, because most mounts never need it.
 */
export const watchPlainDirectory: Watcher = (root, { hint, failed }) => {
  let watcher: FSWatcher | undefined;
  let closed = false;
  let cancelHint: (() => void) | undefined;

  async function start(): Promise<void> {
    const { watch } = await import('chokidar');
    if (closed) return;
    watcher = watch(root, { persistent: false, ignoreInitial: true, followSymlinks: false, depth: DEPTH });
    watcher.on('all', soon);
    watcher.on('ready', soon);
    watcher.on('error', fail);
  }

  function soon(): void {
    cancelHint ??= unrefTimer(GATHER_MS, () => {
      cancelHint = undefined;
      hint();
    });
  }

  function fail(error: unknown): void {
    if (closed) return;
    void close();
    failed(watchUnavailable(root, error));
  }

  async function close(): Promise<void> {
    closed = true;
    cancelHint?.();
    await watcher?.close();
  }

  const started = start().catch(fail);
  return async () => {
    await close();
    await started;
  };
};
