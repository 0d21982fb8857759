import { backoffMs } from '../../internal/time';

export interface PaceOptions {
  /** Time between refreshes without failures. */
  readonly refreshIntervalMs: number;
  /** Initial backoff. It doubles each time, with full jitter. */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** Maximum wait accepted from `Retry-After`. */
  readonly retryAfterMaxMs: number;
  /** Random numbers from 0 to 1, for simulations. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

export const PACE_DEFAULTS = {
  refreshIntervalMs: 900_000,
  retryBaseMs: 1_000,
  retryMaxMs: 16_000,
  retryAfterMaxMs: 60_000,
} as const;

/** Random variation of the interval, as a share. Equal intervals would synchronize a fleet. */
const JITTER = 0.1;
/** Delay after a refusal: short for an operator who waits for a fix, but long enough for a fleet that keeps failing. */
const REFUSED_MS = 60_000;
/** Maximum factor by which throttling stretches the interval. */
const MAX_STRETCH = 2;

/**
 * Decides when to refresh a vault and when to pause. A fleet has no coordinator, so each process spreads its refreshes over
 * the interval, and slows down when the vault reports too many requests. The class has no clock or timers: a simulation of
 * thousands of processes runs the same code.
 */
export class Pace {
  readonly #options: PaceOptions;
  readonly #random: () => number;
  #failures = 0;
  #throttles = 0;
  #stretch = 1;
  #pausedUntil = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /** The time before which no request may be sent, in milliseconds since the epoch. */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** The factor by which throttling stretches the interval now. */
  get stretch(): number {
    return this.#stretch;
  }

  /** Returns the delay after the first refresh: a random part of the interval, which spreads processes that start together. */
  afterStart(): number {
    return this.#random() * this.#options.refreshIntervalMs * this.#stretch;
  }

  /** Returns the delay after the vault answered. */
  afterSuccess(): number {
    this.#failures = 0;
    this.#throttles = 0;
    this.#stretch = Math.max(1, this.#stretch / 2);
    return this.#interval();
  }

  /** Returns the delay after the vault did not answer. */
  afterFailure(now: number): number {
    const { retryBaseMs, retryMaxMs } = this.#options;
    const wait = backoffMs(this.#failures, retryBaseMs, retryMaxMs, this.#random);
    this.#failures += 1;
    // Never send more requests during an outage than usual.
    return Math.max(Math.min(wait, this.#interval()), this.#pausedUntil - now);
  }

  /** Returns the delay after a failure that an operator must fix, such as a missing role or a disabled secret. */
  afterRefusal(): number {
    this.#failures = 0;
    return Math.min(REFUSED_MS * (0.5 + this.#random()), this.#interval());
  }

  /**
   * Pauses requests after a 429, for at least `retryAfterMs` (limited; Key Vault rarely sends it). Adds jitter, because every
   * process receives the same wait. The jitter grows up to the interval, so that a fleet of any size slows down enough.
   */
  throttled(now: number, retryAfterMs = 0): void {
    const { retryBaseMs, refreshIntervalMs, retryAfterMaxMs } = this.#options;
    const least = Math.min(retryAfterMs, retryAfterMaxMs);
    // Several 429s during one refresh count as one.
    if (now < this.#pausedUntil) {
      this.#pausedUntil = Math.max(this.#pausedUntil, now + least);
      return;
    }
    this.#throttles += 1;
    this.#pausedUntil =
      now + least + backoffMs(this.#throttles, retryBaseMs, refreshIntervalMs, this.#random);
    this.#stretch = Math.min(MAX_STRETCH, this.#stretch * 2);
  }

  #interval(): number {
    const vary = 1 + JITTER * (2 * this.#random() - 1);
    return this.#options.refreshIntervalMs * this.#stretch * vary;
  }
}
