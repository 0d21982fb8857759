import { unrefTimer } from '../../internal/time';
import type { SourceListener } from '../source';
import type { MountState } from './layout';
import type { Wanted } from './read-files';
import {
  type RunningWatcher,
  type Watcher,
  watchAncestor,
  watchDataLink,
  watchPlainDirectory,
} from './watchers';

/** The running watch of one mount. */
export interface MountWatch {
  /** Switches to the watcher that fits the state. Does nothing if the state is unchanged. */
  follow(state: MountState): void;
  /** Watches what a read needs that is about to start. */
  fit(wanted: Wanted, singleFiles: readonly string[]): void;
  close(): void;
}

interface Options {
  readonly pollIntervalMs: number;
  readonly listener: SourceListener;
  readonly state: MountState;
}

/** A started watcher, and the state that it fits. */
interface Started {
  readonly key: string;
  running?: RunningWatcher;
}

const WATCHERS: Readonly<Record<MountState['layout'], Watcher>> = {
  kubernetes: watchDataLink,
  plain: watchPlainDirectory,
  absent: watchAncestor,
};

/**
 * Watches a mount with the watcher for its layout, and polls slowly alongside it. If no watcher is available, it reports that
 * once, keeps polling, and retries at every poll.
 */
export function watchMount(root: string, { pollIntervalMs, listener, state }: Options): MountWatch {
  let current: Started | undefined;
  let first = true;
  let closed = false;
  const stopPoll = startPoll(pollIntervalMs, () => listener.hint('poll'));

  function follow({ layout, identity, directory }: MountState): void {
    const key = `${layout} ${identity}`;
    if (closed || key === current?.key) return;
    stopCurrent();
    const started: Started = { key };
    current = started;
    // Nothing watched the mount between the refresh that led here and `ready`.
    const hasGap = !first;
    first = false;
    started.running = WATCHERS[layout](root, directory, {
      hint() {
        if (current === started) listener.hint('watch');
      },
      ready() {
        if (current !== started) return;
        listener.solved('WATCH_UNAVAILABLE');
        if (hasGap) listener.hint('watch');
      },
      limited(error) {
        if (current === started) listener.problem(error);
      },
      unavailable(error) {
        if (current !== started) return;
        stopCurrent();
        listener.problem(error);
      },
    });
    // The watcher became unavailable at once, before `running` was set.
    if (current !== started) started.running.stop();
  }

  function stopCurrent(): void {
    const started = current;
    current = undefined;
    started?.running?.stop();
  }

  follow(state);
  return {
    follow,
    fit(wanted, singleFiles) {
      if (!closed) current?.running?.fit?.(wanted, singleFiles);
    },
    close() {
      closed = true;
      stopPoll();
      stopCurrent();
    },
  };
}

/**
 * Calls `tick` repeatedly, each time after 90 to 100 % of the interval, so that replicas that start together drift apart. Does
 * not keep the process alive.
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
