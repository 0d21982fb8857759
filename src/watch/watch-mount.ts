import type { SecretsError } from '../errors';
import { startPoll } from './poll';
import { watchAncestor } from './watch-ancestor';
import { watchDataLink } from './watch-data-link';
import { watchPlainDirectory } from './watch-plain-directory';

/** What a mount looks like now, as far as watching is concerned. */
export interface MountState {
  readonly layout: 'kubernetes' | 'plain' | 'absent';
  /** Which directory it is: a mount that was deleted and made anew is another one. */
  readonly identity: string;
  /** The directory to watch: the mount itself, or the nearest one above it that exists. */
  readonly directory: string;
}

/** Who is told. The same as a source's listener. */
export interface WatchListener {
  hint(trigger: string): void;
  problem(error: SecretsError): void;
  solved(code: SecretsError['code']): void;
}

/** What a watch says: `ready` once it sees every later change; `failed` once, and then it is over. */
export interface WatchEvents {
  hint(): void;
  ready(): void;
  failed(error: SecretsError): void;
}

/** One way of watching. `directory` is the mount, or for a mount that is absent a directory above it. */
export type Watcher = (root: string, directory: string, events: WatchEvents) => () => void | Promise<void>;

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

interface Armed {
  readonly key: string;
  stop?: () => void | Promise<void>;
}

const WATCHERS: Readonly<Record<MountState['layout'], Watcher>> = {
  kubernetes: watchDataLink,
  plain: watchPlainDirectory,
  absent: watchAncestor,
};

/**
 * Watches a mount with the tool that is strong at its layout, and always polls slowly beside it. When no watch can
 * be had it goes on by polling, says so once, and tries again at every poll.
 */
export function watchMount(root: string, { pollIntervalMs, listener, state }: Options): MountWatch {
  let armed: Armed | undefined;
  let first = true;
  let closed = false;
  const ending = new Set<Promise<void>>();
  const stopPoll = startPoll(pollIntervalMs, () => listener.hint('poll'));

  function end(watch: Armed | undefined): void {
    const ended = Promise.resolve(watch?.stop?.()).finally(() => ending.delete(ended));
    ending.add(ended);
  }

  function disarm(): void {
    const watch = armed;
    armed = undefined;
    end(watch);
  }

  function follow({ layout, identity, directory }: MountState): void {
    const key = `${layout} ${identity}`;
    if (closed || key === armed?.key) return;
    disarm();
    const watch: Armed = { key };
    armed = watch;
    // What happened between the look that led here and the moment of `ready` had no watch.
    const unwatched = !first;
    first = false;
    watch.stop = WATCHERS[layout](root, directory, {
      hint() {
        if (armed === watch) listener.hint('watch');
      },
      ready() {
        if (armed !== watch) return;
        listener.solved('WATCH_UNAVAILABLE');
        if (unwatched) listener.hint('watch');
      },
      failed(error) {
        if (armed !== watch) return;
        disarm();
        listener.problem(error);
      },
    });
    // It failed at once, before there was anything to stop.
    if (armed !== watch) end(watch);
  }

  follow(state);
  return {
    follow,
    async close() {
      closed = true;
      stopPoll();
      disarm();
      await Promise.all(ending);
    },
  };
}
