const WINDOW_MS = 10_000;

/** Counts requests in windows of ten seconds; the first request opens one. */
export class RateLimit {
  readonly #most: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(perTenSeconds: number) {
    this.#most = perTenSeconds;
  }

  /** Counts one more request, and tells whether it is too many. */
  exceeded(now: number): boolean {
    if (now - this.#openedAt >= WINDOW_MS) {
      this.#openedAt = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count > this.#most;
  }
}
