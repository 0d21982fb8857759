/** The callers in the queue of a pool. */
export interface Callers<Caller extends object> {
  /** Returns those that wait, the first one first. */
  waiting(): readonly Caller[];
  /** Fails the call of one of them. */
  reject(caller: Caller, error: Error): void;
  /** Tells whether the pool has a connection that could serve them. */
  hasConnection(): boolean;
}

interface GateOptions<Caller extends object> {
  readonly callers: Callers<Caller>;
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
export class CredentialGate<Caller extends object> {
  readonly #options: GateOptions<Caller>;
  readonly #waitingSince = new WeakMap<Caller, number>();
  #closedAt: number | undefined;
  #error: Error | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;

  constructor(options: GateOptions<Caller>) {
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
    const { callers, waitMs: limit } = this.#options;
    const waitMs = limit();
    const waiting = callers.waiting();
    if (waiting.length > 0) this.#sweep?.ref();
    else this.#sweep?.unref();
    const lasting = now - (this.#closedAt ?? now) > waitMs;
    for (const caller of [...waiting]) {
      const since = this.#waitingSince.get(caller) ?? now;
      this.#waitingSince.set(caller, since);
      // Waiting again would not help after a long refusal without an open connection that could serve.
      const hopeless = lasting && !callers.hasConnection();
      if (!hopeless && now - since < waitMs) continue;
      // The call that failed before this one may have ended the pool.
      if (callers.waiting().includes(caller)) callers.reject(caller, this.#error as Error);
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
