import { AsyncResource } from 'node:async_hooks';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { unrefTimer } from '../internal/time';
import { warn } from '../internal/warnings';

/** What a trigger needs of a store. */
export interface TriggerStore {
  /** Throws `STORE_CLOSED` after `close()`. */
  snapshot(): unknown;
  refresh(options?: { readonly trigger?: string }): Promise<void>;
}

/** Durations are milliseconds. */
export interface RefreshPace {
  /** Refreshes begin at least this far apart. */
  readonly minIntervalMs: number;
  /** Each is put off by a random part of this. */
  readonly spreadMs: number;
}

/**
 * Turns any number of requests into few refreshes: one runs, one waits. A request joins the one that waits; one that
 * runs may have read what the request is about too early, so another follows it.
 */
export class RefreshSoon {
  readonly #store: TriggerStore;
  readonly #trigger: string;
  readonly #pace: RefreshPace;
  /** The look that comes next, and whom it has to tell. */
  #next: { readonly done: Promise<void>; readonly tell: () => void; readonly run: () => void } | undefined;
  #running = false;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(store: TriggerStore, trigger: string, pace: RefreshPace) {
    this.#store = store;
    this.#trigger = trigger;
    this.#pace = pace;
  }

  /** Resolves when a look that began after this call is done, whatever came of it. */
  request(): Promise<void> {
    if (this.#next !== undefined) return this.#next.done;
    let tell = () => {};
    const done = new Promise<void>((resolve) => {
      tell = resolve;
    });
    // In the async context of whom it is for, and not of whoever asked for the look before it.
    this.#next = { done, tell, run: AsyncResource.bind(() => void this.#run()) };
    if (!this.#running) this.#schedule();
    return done;
  }

  #schedule(): void {
    const { minIntervalMs, spreadMs } = this.#pace;
    const due = Math.max(0, this.#startedAt + minIntervalMs - performance.now());
    const wait = due + Math.random() * spreadMs;
    const run = () => this.#next?.run();
    if (wait > 0) unrefTimer(wait, run);
    else run();
  }

  async #run(): Promise<void> {
    const asked = this.#next;
    this.#next = undefined;
    this.#running = true;
    this.#startedAt = performance.now();
    try {
      await this.#store.refresh({ trigger: this.#trigger });
    } catch (error) {
      // What a refresh could not read is an error event of the store. Left are its close, and defects.
      if (!isSecretsError(error, 'STORE_CLOSED')) warn(failed(error));
    }
    asked?.tell();
    this.#running = false;
    if (this.#next !== undefined) this.#schedule();
  }
}

function failed(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a refresh failed with ${describeError(error)}`, {
    next: 'The last good values keep serving. Please report this.',
  });
}
