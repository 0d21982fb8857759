import { isSecretsError } from '../errors';
import { Rotation } from './rotation';
import type { EngineOptions, Lifecycle, RotationStore } from './types';

/** How a resource takes it that its server refuses the credential. */
export interface Patience {
  readonly isRefused: (error: unknown) => boolean;
  readonly authFailureWaitMs: number;
}

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 2_000;

/** A rotation whose `use` runs refused work again with a newer resource, or after a pause. */
export class PatientRotation<R, V> extends Rotation<R, V> {
  readonly #store: RotationStore<V>;
  readonly #patience: Patience;
  #nextPauseMs = FIRST_PAUSE_MS;
  #pausedAt = Number.NEGATIVE_INFINITY;
  /** All calls that are refused at a time share one refresh and one pause. */
  #waiting: Promise<void> | undefined;

  constructor(
    store: RotationStore<V>,
    lifecycle: Lifecycle<R, V>,
    options: EngineOptions,
    patience: Patience,
  ) {
    super(store, lifecycle, options);
    this.#store = store;
    this.#patience = patience;
  }

  override async use<T>(work: (resource: R) => T | Promise<T>): Promise<T> {
    const { isRefused, authFailureWaitMs } = this.#patience;
    const until = performance.now() + authFailureWaitMs;
    for (;;) {
      const { generation } = this;
      try {
        return await super.use(work);
      } catch (error) {
        if (!isRefused(error)) throw error;
        if (this.generation !== generation) continue;
        if (performance.now() + this.#pauseMs() > until) throw error;
        await this.#newer();
      }
    }
  }

  /** The next pause. It grows while the server refuses one pause after the other, and starts anew after a quiet time. */
  #pauseMs(): number {
    return performance.now() - this.#pausedAt > MAX_PAUSE_MS ? FIRST_PAUSE_MS : this.#nextPauseMs;
  }

  /** Asks for newer secrets, and settles as soon as a newer resource serves, or after a pause. */
  #newer(): Promise<void> {
    this.#waiting ??= new Promise<void>((resolve) => {
      const pauseMs = this.#pauseMs();
      const settle = (nextPauseMs: number) => () => {
        clearTimeout(timer);
        this.off('swapped', swapped);
        this.#nextPauseMs = nextPauseMs;
        this.#pausedAt = performance.now();
        this.#waiting = undefined;
        resolve();
      };
      const swapped = settle(FIRST_PAUSE_MS);
      // Keeps the process alive, as the call that waits would.
      const timer = setTimeout(settle(Math.min(2 * pauseMs, MAX_PAUSE_MS)), pauseMs);
      this.on('swapped', swapped);
      this.retryNow();
      this.#store.refresh({ trigger: 'auth-failure' }).catch((error: unknown) => {
        if (!isSecretsError(error, 'STORE_CLOSED')) throw error;
      });
    });
    return this.#waiting;
  }
}
