import { isSecretsError, SecretsError, withFacts } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { backoffMs, delay, detached, unrefTimer } from '../../internal/time';
import { untilAborted, withDeadline } from '../key-vault/connections';
import type { SourceListener } from '../source';

/** What an issuer returned: usually one value, and never values of two requests. */
export interface IssuedToken {
  /** Values by alias. The keeper owns their memory. */
  readonly values: ReadonlyMap<string, Uint8Array>;
  readonly expiresAt: Date;
}

/** The token that the keeper holds. Times in `…Ms` are those of `performance.now()`. */
export interface HeldToken extends IssuedToken {
  /** Counts the tokens of this keeper. */
  readonly serial: number;
  readonly arrivedAt: Date;
  readonly arrivedMs: number;
  readonly endsMs: number;
}

export interface TokenKeeperOptions {
  /** The kind of source, for errors. */
  readonly source: string;
  readonly alias: string;
  /** Issues one token. May throw anything, and may ignore the signal. */
  issue(signal: AbortSignal): Promise<IssuedToken>;
  /** Explains a request that took longer than `requestTimeoutMs`. */
  explainTimeout(): SecretsError;
  readonly requestTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly retryBaseMs: number;
  readonly retryMaxMs: number;
  /** Runs when the last store that uses the token closes. */
  released(): void;
}

/** The share of its lifetime after which a token is replaced: a random one in this range, so that a fleet spreads its requests. */
const REPLACE_AFTER = { least: 0.5, most: 2 / 3 };
/** Retries are at most this share of the lifetime apart, so that even a short-lived token gets many of them. */
const RETRY_SHARE = 1 / 20;
/** While a store waits for its first token, retries are at most this share of that time apart. */
const START_RETRY_SHARE = 1 / 8;
/** A refresh that somebody requests replaces a token of this age: the server may have refused the token. */
const REPLACEABLE_MS = 30_000;
/** The shortest time between the failure of a request and the next request. */
const REST_MS = 1_000;
/** Timers stand still while a machine sleeps, so the keeper compares the clocks at least this often. */
const MAX_PAUSE_MS = 30_000;

/** Errors that may pass without a fix. All others end the wait for a first token at once. */
const PASSING: ReadonlySet<string> = new Set([
  'TOKEN_FAILED',
  'TOKEN_TIMEOUT',
  'IDENTITY_FAILED',
  'VAULT_PROXY_REFUSED',
  'VAULT_UNAVAILABLE',
]);

/**
 * Keeps one token valid: requests the next one in time, one request at a time, and retries with backoff. Every store that has
 * the source shares the token. Without a store that watches, it has no timers.
 */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  readonly #listeners = new Set<SourceListener>();
  #closing = new AbortController();
  #token: HeldToken | undefined;
  #serial = 0;
  #pending: Promise<void> | undefined;
  /** The error of the last request; `undefined` if it succeeded. */
  #failure: SecretsError | undefined;
  #failures = 0;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** When the next request is due. */
  #dueMs = 0;
  #cancel = () => {};

  constructor(options: TokenKeeperOptions) {
    this.#options = options;
  }

  /** The token, unless there is none or it has expired. */
  get valid(): HeldToken | undefined {
    const token = this.#token;
    return token === undefined || isOver(token) ? undefined : token;
  }

  /** The last token, valid or not. */
  get last(): HeldToken | undefined {
    return this.#token;
  }

  /** Starts to replace the token in time, and tells the listener about each new one and about failures. */
  watch(listener: SourceListener): () => void {
    // Each call is one subscription, even of the same object.
    const own: SourceListener = {
      hint: (trigger) => listener.hint(trigger),
      problem: (error) => listener.problem(error),
      solved: (code) => listener.solved(code),
    };
    this.#listeners.add(own);
    if (this.#failure !== undefined && this.#token !== undefined) own.problem(this.#failure);
    this.#schedule();
    return () => {
      this.#listeners.delete(own);
      this.#schedule();
    };
  }

  /**
   * Returns a valid token. Waits for the first one, with retries, up to `startTimeoutMs`. `fresh` replaces a token that is not
   * new, but returns it if that fails.
   * @throws The error of the last request, without a valid token.
   */
  async get(fresh: boolean, signal: AbortSignal): Promise<HeldToken> {
    const held = this.valid;
    const now = performance.now();
    const replaceable = fresh && held !== undefined && now - held.arrivedMs >= REPLACEABLE_MS;
    if (held !== undefined && now < this.#dueMs && !replaceable) return held;
    const first = this.#token === undefined;
    const givenUp = new AbortController();
    const giveUp = () => givenUp.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    // Keeps the process alive, because a store waits for it to open.
    const timer = setTimeout(giveUp, first ? this.#options.startTimeoutMs : this.#options.requestTimeoutMs);
    if (signal.aborted) giveUp();
    try {
      await this.#requested(first, givenUp.signal);
    } catch (error) {
      const rest = this.valid;
      if (rest !== undefined) return rest;
      throw isSecretsError(error) ? error : (this.#failure ?? this.#timeout());
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    }
    return this.#token as HeldToken;
  }

  /** Lets the token go if no store watches: the last one has closed. */
  close(): void {
    if (this.#listeners.size > 0) return;
    this.#cancel();
    this.#closing.abort();
    this.#closing = new AbortController();
    this.#pending = undefined;
    if (this.#token !== undefined) wipe(this.#token);
    this.#token = undefined;
    this.#failure = undefined;
    this.#failures = 0;
    this.#dueMs = 0;
    this.#endedMs = Number.NEGATIVE_INFINITY;
    this.#options.released();
  }

  async #requested(first: boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      const restMs = this.#endedMs + REST_MS - performance.now();
      if (this.#failure !== undefined && this.#pending === undefined && restMs > 0) {
        if (!first) throw this.#failure;
        await delay(Math.min(restMs, this.#dueMs - performance.now()), signal);
      }
      try {
        return await untilAborted(signal, () => this.#request());
      } catch (error) {
        if (!first || signal.aborted || !isSecretsError(error) || !PASSING.has(error.code)) throw error;
        const longestMs = this.#options.startTimeoutMs * START_RETRY_SHARE;
        await delay(Math.max(0, Math.min(this.#dueMs - performance.now(), longestMs)), signal);
        if (signal.aborted) throw error;
      }
    }
  }

  /** Requests the next token. Everybody who asks meanwhile shares the request. */
  #request(): Promise<void> {
    if (this.#pending === undefined) {
      const { signal } = this.#closing;
      const pending = detached(() => this.#issue(signal)).finally(() => {
        if (this.#pending === pending) this.#pending = undefined;
      });
      // The schedule requests a token that nobody waits for.
      pending.catch(() => {});
      this.#pending = pending;
    }
    return this.#pending;
  }

  async #issue(closing: AbortSignal): Promise<void> {
    const { issue, requestTimeoutMs } = this.#options;
    let timedOut = false;
    try {
      const token = await withDeadline([closing], requestTimeoutMs, (bound) => {
        bound.addEventListener('abort', () => {
          timedOut = true;
        });
        return untilAborted(bound, (signal) => issue(signal));
      });
      if (!closing.aborted) this.#take(token);
    } catch (error) {
      const known = timedOut ? this.#timeout() : this.#explain(error);
      if (!closing.aborted) this.#fail(known);
      throw known;
    }
  }

  #take(issued: IssuedToken): void {
    const before = this.#token;
    const arrivedMs = performance.now();
    const { expiresAt } = issued;
    const lifetimeMs = expiresAt.getTime() - Date.now();
    if (lifetimeMs <= 0) throw this.#expiredOnArrival(expiresAt);
    this.#endedMs = arrivedMs;
    this.#failures = 0;
    const isNew = before === undefined || expiresAt > before.expiresAt || !holdEqualValues(before, issued);
    if (isNew) {
      this.#serial += 1;
      const endsMs = arrivedMs + lifetimeMs;
      this.#token = { ...issued, serial: this.#serial, arrivedAt: new Date(), arrivedMs, endsMs };
      if (before !== undefined) wipe(before);
      this.#dueMs = arrivedMs + lifetimeMs * between(REPLACE_AFTER.least, REPLACE_AFTER.most);
    } else {
      wipe(issued);
      // Credentials have caches of their own, which replace a token minutes before its end.
      const leftMs = before.endsMs - arrivedMs;
      const spanMs = before.endsMs - before.arrivedMs;
      this.#dueMs = arrivedMs + Math.max(leftMs / 4, (spanMs * RETRY_SHARE * (1 + Math.random())) / 2);
    }
    const solved = this.#failure;
    this.#failure = undefined;
    this.#schedule();
    for (const listener of [...this.#listeners]) {
      if (solved !== undefined) listener.solved(solved.code);
      if (isNew) listener.hint('poll');
    }
  }

  #fail(error: SecretsError): void {
    const { retryBaseMs, retryMaxMs } = this.#options;
    const token = this.#token;
    const now = performance.now();
    const shareMs = token === undefined ? retryMaxMs : (token.endsMs - token.arrivedMs) * RETRY_SHARE;
    this.#dueMs =
      now + backoffMs(this.#failures, Math.min(retryBaseMs, shareMs), Math.min(retryMaxMs, shareMs));
    this.#failures += 1;
    this.#endedMs = now;
    const before = this.#failure;
    this.#failure = error;
    this.#schedule();
    // Without a token, the read reports it.
    if (token === undefined) return;
    for (const listener of [...this.#listeners]) {
      if (before !== undefined && before.code !== error.code) listener.solved(before.code);
      listener.problem(error);
    }
  }

  #schedule(): void {
    this.#cancel();
    if (this.#listeners.size === 0 || (this.#token === undefined && this.#failure === undefined)) return;
    const waitMs = Math.max(0, Math.min(this.#dueMs - performance.now(), MAX_PAUSE_MS));
    this.#cancel = unrefTimer(waitMs, () => {
      const token = this.#token;
      const isDue = performance.now() >= this.#dueMs;
      // The date may have passed the end of the token while the machine slept.
      const slept = this.#failures === 0 && token !== undefined && isOver(token);
      if (isDue || slept) this.#request();
      else this.#schedule();
    });
  }

  #timeout(): SecretsError {
    const { explainTimeout, source } = this.#options;
    return withFacts(explainTimeout(), { source });
  }

  #explain(error: unknown): SecretsError {
    const { source, alias } = this.#options;
    if (isSecretsError(error)) return withFacts(error, { source });
    const what = `no token for "${alias}" was issued: ${describeError(error)}${statusOf(error)}`;
    return new SecretsError('TOKEN_FAILED', what, {
      secret: alias,
      source,
      next: 'It is retried. The last token serves until it expires.',
    });
  }

  #expiredOnArrival(expiresAt: Date): SecretsError {
    const { source, alias } = this.#options;
    const what = `the token for "${alias}" arrived after its end, ${expiresAt.toISOString()}`;
    return new SecretsError('TOKEN_INVALID', what, {
      secret: alias,
      source,
      next: `The clock of this machine says ${new Date().toISOString()}. Compare it, and the unit of the expiry, with the issuer.`,
    });
  }
}

/** By both clocks: the monotonic one stands still while a machine sleeps, and the date may jump. */
function isOver({ endsMs, expiresAt }: HeldToken): boolean {
  return performance.now() >= endsMs || Date.now() >= expiresAt.getTime();
}

function wipe({ values }: IssuedToken): void {
  for (const bytes of values.values()) bytes.fill(0);
}

function holdEqualValues({ values }: IssuedToken, other: IssuedToken): boolean {
  const isEqual = ([alias, bytes]: [string, Uint8Array]) => {
    const counterpart = other.values.get(alias);
    return counterpart !== undefined && Buffer.from(bytes).equals(counterpart);
  };
  return values.size === other.values.size && [...values].every(isEqual);
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least);
}

/** The HTTP status that many clients add to their errors. */
function statusOf(error: unknown): string {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  return Number.isInteger(statusCode) && (statusCode as number) >= 300 && (statusCode as number) < 600
    ? `, status ${statusCode}`
    : '';
}
