import { AsyncResource } from 'node:async_hooks';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { unrefTimer } from '../internal/time';
import { warn } from '../internal/warnings';
import type { SecretStore } from './types';

/** Durations are milliseconds. */
export interface RefreshPace {
  /** Minimum time between the starts of two refreshes. */
  readonly minIntervalMs: number;
  /** Maximum random delay of each refresh. */
  readonly spreadMs: number;
}

/**
 * Turns many requests into few refreshes: at most one runs and one waits. A request joins the waiting refresh, never the
 * running one, which may have read the source before the change.
 */
export class RefreshSoon {
  readonly #store: Pick<SecretStore<unknown>, 'refresh'>;
  readonly #trigger: string;
  readonly #pace: RefreshPace;
  /** The waiting refresh. */
  #next: { readonly done: Promise<void>; readonly resolve: () => void; readonly run: () => void } | undefined;
  #running = false;
  #startedAt = Number.NEGATIVE_INFINITY;

  constructor(store: Pick<SecretStore<unknown>, 'refresh'>, trigger: string, pace: RefreshPace) {
    this.#store = store;
    this.#trigger = trigger;
    this.#pace = pace;
  }

  /** Resolves when a refresh that started after this call ends, successful or not. */
  request(): Promise<void> {
    if (this.#next !== undefined) return this.#next.done;
    let resolve = () => {};
    const done = new Promise<void>((settle) => {
      resolve = settle;
    });
    // Run in the async context of this request, not of the previous one.
    this.#next = { done, resolve, run: AsyncResource.bind(() => void this.#run()) };
    if (!this.#running) this.#schedule();
    return done;
  }

  #schedule(): void {
    const { minIntervalMs, spreadMs } = this.#pace;
    const due = Math.max(0, this.#startedAt + minIntervalMs - performance.now());
    const waitMs = due + Math.random() * spreadMs;
    const run = () => this.#next?.run();
    if (waitMs > 0) unrefTimer(waitMs, run);
    else run();
  }

  async #run(): Promise<void> {
    const current = this.#next;
    this.#next = undefined;
    this.#running = true;
    this.#startedAt = performance.now();
    try {
      await this.#store.refresh({ trigger: this.#trigger });
    } catch (error) {
      // The store reports failed reads as `error` events. Any other error except `STORE_CLOSED` is a bug.
      if (!isSecretsError(error, 'STORE_CLOSED')) warn(refreshFailed(error));
    }
    current?.resolve();
    this.#running = false;
    if (this.#next !== undefined) this.#schedule();
  }
}

function refreshFailed(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a refresh failed with ${describeError(error)}`, {
    next: 'This is a bug in hot-secrets: please report it. The last good values stay in use.',
  });
}
