import { backoffMs } from '../../internal/time';

export interface PaceOptions {
  /** The time between two refreshes while nothing is wrong. */
  readonly refreshIntervalMs: number;
  /** The first step of the backoff, which doubles, with full jitter. */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** Caps `Retry-After`. */
  readonly retryAfterMaxMs: number;
  /** Default: `Math.random`. A simulation passes its own. */
  readonly random?: (() => number) | undefined;
}

export const PACE_DEFAULTS = {
  refreshIntervalMs: 900_000,
  retryBaseMs: 1_000,
  retryMaxMs: 16_000,
  retryAfterMaxMs: 60_000,
} as const;

/** The share of the interval by which it varies, because equal intervals would synchronise a fleet. */
const JITTER = 0.1;
/** Short enough for an operator who waits for a fix, long enough for a fleet that keeps failing. */
const REFUSED_MS = 60_000;
/** Caps how far throttling stretches the interval. */
const MAX_STRETCH = 2;

/**
 * Decides when to refresh a vault and when to leave it alone. A fleet has no coordinator: each process spreads its refreshes
 * over the interval and slows down when the vault reports too many requests. The class is pure (times in, times out), so
 * that a simulation of thousands of processes runs the same code.
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

  /** No request may be sent before this time. */
  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  /** The factor by which throttling has stretched the interval. */
  get stretch(): number {
    return this.#stretch;
  }

  /** Delay from the first refresh to the second: anywhere within the interval, so that processes started together spread. */
  afterStart(): number {
    return this.#random() * this.#options.refreshIntervalMs * this.#stretch;
  }

  /** Delay to the next refresh after the vault answered. */
  afterSuccess(): number {
    this.#failures = 0;
    this.#throttles = 0;
    this.#stretch = Math.max(1, this.#stretch / 2);
    return this.#interval();
  }

  /** Delay to the next refresh after the vault did not answer. */
  afterFailure(now: number): number {
    const { retryBaseMs, retryMaxMs } = this.#options;
    const wait = backoffMs(this.#failures, retryBaseMs, retryMaxMs, this.#random);
    this.#failures += 1;
    // Even a long outage does not justify more requests than usual.
    return Math.max(Math.min(wait, this.#interval()), this.#pausedUntil - now);
  }

  /** Delay to the next refresh when somebody has to fix something first, such as a role or a disabled secret. */
  afterRefusal(): number {
    this.#failures = 0;
    return Math.min(REFUSED_MS * (0.5 + this.#random()), this.#interval());
  }

  /**
   * Pauses requests after a 429. `retryAfterMs` is the minimum wait, up to a bound; Key Vault rarely sends one. Jitter comes
   * on top, because every process was told the same. Its steps grow up to the interval: a fleet that asks too much has to
   * become slower than any fixed step allows.
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
