import { backoffMs } from '../../internal/time';

export interface PaceOptions {
  /** Between two looks at the vault while nothing is wrong. */
  readonly refreshIntervalMs: number;
  /** First step of the backoff, which doubles, with full jitter. */
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** The longest `Retry-After` that is believed. */
  readonly retryAfterMaxMs: number;
  /** Default: `Math.random`. A simulation has its own. */
  readonly random?: () => number;
}

export const PACE_DEFAULTS = {
  refreshIntervalMs: 900_000,
  retryBaseMs: 1_000,
  retryMaxMs: 16_000,
  retryAfterMaxMs: 60_000,
} as const;

/** Share of the interval by which it varies: clocks that run in step would bring a fleet into step. */
const JITTER = 0.1;
/** Soon enough for somebody who waits for it, and seldom enough for a fleet that asks in vain. */
const REFUSED_MS = 60_000;
/** How far throttling may stretch the interval. */
const MOST_STRETCH = 2;

/**
 * When to look at a vault, and when not to. A fleet has no coordinator: each process spreads its looks over the interval,
 * and slows down when the vault says that it is too many. Pure: times go in, times come out, so that a simulation of
 * thousands runs the same code.
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

  /** How many times longer the interval is than it was set, because of throttling. */
  get stretch(): number {
    return this.#stretch;
  }

  /** From the first look to the second: anywhere in the interval, so that processes started together part. */
  first(): number {
    return this.#random() * this.#options.refreshIntervalMs * this.#stretch;
  }

  /** The vault answered: the time to the next look. */
  succeeded(): number {
    this.#failures = 0;
    this.#throttles = 0;
    this.#stretch = Math.max(1, this.#stretch / 2);
    return this.#interval();
  }

  /** It did not: the time to the next look. */
  failed(now: number): number {
    const { retryBaseMs, retryMaxMs } = this.#options;
    const wait = backoffMs(this.#failures, retryBaseMs, retryMaxMs, this.#random);
    this.#failures += 1;
    // A long outage is no reason to ask more often than in good times.
    return Math.max(Math.min(wait, this.#interval()), this.#pausedUntil - now);
  }

  /** Something has to be mended by hand first (a role, a disabled secret): the time to the next look. */
  refused(): number {
    this.#failures = 0;
    return Math.min(REFUSED_MS * (0.5 + this.#random()), this.#interval());
  }

  /**
   * Too many requests: nothing is sent for a while. `retryAfterMs` is the least wait, up to a bound; Key Vault mostly gives
   * none. On top comes jitter, because everybody was told the same. Its steps grow up to the interval: a fleet that asks too
   * much has to become slower than any fixed step makes it.
   */
  throttled(now: number, retryAfterMs = 0): void {
    const { retryBaseMs, refreshIntervalMs, retryAfterMaxMs } = this.#options;
    const least = Math.min(retryAfterMs, retryAfterMaxMs);
    // Of several answers to one look, the first counts.
    if (now < this.#pausedUntil) {
      this.#pausedUntil = Math.max(this.#pausedUntil, now + least);
      return;
    }
    this.#throttles += 1;
    this.#pausedUntil =
      now + least + backoffMs(this.#throttles, retryBaseMs, refreshIntervalMs, this.#random);
    this.#stretch = Math.min(MOST_STRETCH, this.#stretch * 2);
  }

  #interval(): number {
    const vary = 1 + JITTER * (2 * this.#random() - 1);
    return this.#options.refreshIntervalMs * this.#stretch * vary;
  }
}
