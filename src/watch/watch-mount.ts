import type { SecretsError } from '../errors';
import { startPoll } from './poll';
import { watchDataLink } from './watch-data-link';
import { watchPlainDirectory } from './watch-plain-directory';

/** What a mount looks like now, as far as watching is concerned. */
export interface MountState {
  readonly layout: 'kubernetes' | 'plain' | 'absent';
  /** Which directory it is: a mount that was deleted and made anew is another one. */
  readonly identity: string;
}

/** Who is told. The same as a source's listener. */
export interface WatchListener {
  hint(trigger: string): void;
  problem(error: SecretsError): void;
  solved(code: SecretsError['code']): void;
}

/** One way of watching. `failed` is called at most once, and then the watch is over. */
export type Watcher = (
  root: string,
  events: { hint(): void; failed(error: SecretsError): void },
) => () => void | Promise<void>;

export interface MountWatch {
  /** Watches with what fits the state; does nothing while that stays the same. */
  follow(state: MountState): void;
  close(): Promise<void>;
}

interface Options {
  readonly pollIntervalMs: number;
  readonly listener: WatchListener;
  readonly state: MountState;
}

/**
 * Watches a mount with the tool that is strong at its layout, and always polls slowly beside it. When no watch can
 * be had it goes on by polling, says so once, and tries again at every poll.
 */
export function watchMount(root: string, { pollIntervalMs, listener, state }: Options): MountWatch {
  let armed = '';
  let stop: (() => void | Promise<void>) | undefined;
  let closed = false;
  const closing: (void | Promise<void>)[] = [];
  const stopPoll = startPoll(pollIntervalMs, () => listener.hint('poll'));

  function disarm(): void {
    if (stop !== undefined) closing.push(stop());
    stop = undefined;
    armed = '';
  }

  function follow(next: MountState): void {
    const wanted = `${next.layout === 'kubernetes' ? 'link' : 'directory'} ${next.identity}`;
    if (closed || wanted === armed) return;
    const rearmed = armed !== '';
    disarm();
    const watcher: Watcher = next.layout === 'kubernetes' ? watchDataLink : watchPlainDirectory;
    let failedAtOnce = false;
    const stopWatcher = watcher(root, {
      hint: () => listener.hint('watch'),
      failed(error) {
        failedAtOnce = true;
        if (armed === wanted) disarm();
        listener.problem(error);
      },
    });
    if (failedAtOnce) {
      closing.push(stopWatcher());
      return;
    }
    stop = stopWatcher;
    armed = wanted;
    listener.solved('WATCH_UNAVAILABLE');
    // What happened between the look that led here and this moment had no watch.
    if (rearmed) listener.hint('watch');
  }

  follow(state);
  return {
    follow,
    async close() {
      closed = true;
      stopPoll();
      disarm();
      await Promise.all(closing.splice(0));
    },
  };
}
