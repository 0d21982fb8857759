import type { PendingItem, PoolInternals } from './pg-internals';

interface GateOptions {
  /** How long each caller waits. */
  readonly waitMs: () => number;
  /** Tries the current credential again. Resolves with true if the server accepts it. */
  readonly probe: () => Promise<boolean>;
  /** Runs each time the gate opens. */
  readonly opened: () => void;
}

const PROBE_FIRST_MS = 1000;
const MAX_PROBE_MS = 15_000;

/**
 * Closed while the server refuses the current credential. Meanwhile the only login is a probe with backoff;
 * callers stay in the pool's own queue for at most `waitMs` each, and open connections still serve them.
 */
export class CredentialGate {
  readonly #pool: Pick<PoolInternals, '_pendingQueue' | '_clients'>;
  readonly #options: GateOptions;
  readonly #waitingSince = new WeakMap<PendingItem, number>();
  #closedAt: number | undefined;
  #error: Error | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;

  constructor(pool: Pick<PoolInternals, '_pendingQueue' | '_clients'>, options: GateOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closedAt !== undefined;
  }

  /** Tells whether a new caller has to wait. A waiting caller keeps the process alive. */
  holds(): boolean {
    // The next sweep releases the process if no caller waits.
    if (this.closed) this.#sweep?.ref();
    return this.closed;
  }

  /** Closes the gate, because a login was refused. */
  close(error: Error): void {
    this.#error = error;
    if (this.#closedAt !== undefined) return;
    this.#closedAt = performance.now();
    const step = Math.min(100, Math.max(5, this.#options.waitMs() / 10));
    // Keeps the process alive while a caller waits, as a pending connect would.
    this.#sweep = setInterval(() => this.#expire(), step);
    this.#scheduleProbe(0);
  }

  /** Opens the gate, because the server accepted the credential or its successor. */
  open(): void {
    if (!this.closed) return;
    this.stop();
    this.#options.opened();
  }

  stop(): void {
    this.#closedAt = undefined;
    clearInterval(this.#sweep);
    clearTimeout(this.#probe);
  }

  #expire(): void {
    const now = performance.now();
    const waitMs = this.#options.waitMs();
    const queue = this.#pool._pendingQueue;
    if (queue.length > 0) this.#sweep?.ref();
    else this.#sweep?.unref();
    const lasting = now - (this.#closedAt ?? now) > waitMs;
    for (const item of [...queue]) {
      const since = this.#waitingSince.get(item) ?? now;
      this.#waitingSince.set(item, since);
      // Waiting again would not help after a long refusal without an open connection that could serve.
      const hopeless = lasting && this.#pool._clients.length === 0;
      if (!hopeless && now - since < waitMs) continue;
      // The callback before this one may have ended the pool.
      const place = queue.indexOf(item);
      if (place < 0) continue;
      queue.splice(place, 1);
      item.timedOut = true;
      item.callback(this.#error, undefined, () => {});
    }
  }

  #scheduleProbe(attempt: number): void {
    const step = Math.min(MAX_PROBE_MS, PROBE_FIRST_MS * 2 ** attempt);
    this.#probe = setTimeout(
      () => {
        const closedAt = this.#closedAt;
        this.#options.probe().then((accepted) => {
          if (closedAt === undefined || this.#closedAt !== closedAt) return;
          if (accepted) this.open();
          else this.#scheduleProbe(attempt + 1);
        });
      },
      step * (0.5 + Math.random() / 2),
    );
    this.#probe.unref();
  }
}
