import { unrefTimer } from '../../internal/time';
import type { SourceListener } from '../source';
import type { MountState } from './layout';
import { type Watcher, watchAncestor, watchDataLink, watchPlainDirectory } from './watchers';

/** The running watch of one mount. */
export interface MountWatch {
  /** Switches to the watcher that fits the state; does nothing while the state stays the same. */
  follow(state: MountState): void;
  close(): Promise<void>;
}

interface Options {
  readonly pollIntervalMs: number;
  readonly listener: SourceListener;
  readonly state: MountState;
}

/** A watcher that was started, and the state it was started for. */
interface Started {
  readonly key: string;
  stop?: () => void | Promise<void>;
}

const WATCHERS: Readonly<Record<MountState['layout'], Watcher>> = {
  kubernetes: watchDataLink,
  plain: watchPlainDirectory,
  absent: watchAncestor,
};

/**
 * Watches a mount with the watcher that suits its layout, and polls slowly alongside it. When no watcher is available
 * it keeps polling, reports that once, and tries again at every poll.
 */
export function watchMount(root: string, { pollIntervalMs, listener, state }: Options): MountWatch {
  let current: Started | undefined;
  let first = true;
  let closed = false;
  const stopping = new Set<Promise<void>>();
  const stopPoll = startPoll(pollIntervalMs, () => listener.hint('poll'));

  function follow({ layout, identity, directory }: MountState): void {
    const key = `${layout} ${identity}`;
    if (closed || key === current?.key) return;
    stopCurrent();
    const started: Started = { key };
    current = started;
    // Between the refresh that led here and `ready`, nothing watched the mount.
    const hasGap = !first;
    first = false;
    started.stop = WATCHERS[layout](root, directory, {
      hint() {
        if (current === started) listener.hint('watch');
      },
      ready() {
        if (current !== started) return;
        listener.solved('WATCH_UNAVAILABLE');
        if (hasGap) listener.hint('watch');
      },
      unavailable(error) {
        if (current !== started) return;
        stopCurrent();
        listener.problem(error);
      },
    });
    // It became unavailable at once, before there was a `stop` to call.
    if (current !== started) stop(started);
  }

  function stopCurrent(): void {
    const started = current;
    current = undefined;
    stop(started);
  }

  function stop(started: Started | undefined): void {
    const stopped = Promise.resolve(started?.stop?.()).finally(() => stopping.delete(stopped));
    stopping.add(stopped);
  }

  follow(state);
  return {
    follow,
    async close() {
      closed = true;
      stopPoll();
      stopCurrent();
      await Promise.all(stopping);
    },
  };
}

/**
 * Calls `tick` repeatedly, each time after 90 to 100 % of the interval: a tick is never late, and replicas that
 * started together drift apart. Does not keep the process alive.
 */
function startPoll(intervalMs: number, tick: () => void): () => void {
  let cancel = schedule();
  function schedule(): () => void {
    return unrefTimer(intervalMs * (0.9 + Math.random() * 0.1), () => {
      cancel = schedule();
      tick();
    });
  }
  return () => cancel();
}
