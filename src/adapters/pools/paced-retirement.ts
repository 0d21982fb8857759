import { backoffMs, deadline, pause } from '../../internal/time';

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2000;
const END_MS = 500;

/** A connection that knows the credential that it logged in with. */
export interface PooledConnection {
  credentialId: number;
  /** True during its login. */
  readonly loggingIn: boolean;
}

/** The connections of a pool, and the steps with which it closes them. */
export interface PoolConnections<C> {
  /** The limit of the pool. */
  readonly max: number;
  /** Returns all of them, those that log in included. */
  all(): readonly C[];
  idle(): readonly C[];
  /** Removes and closes an idle connection, and then serves the callers that have a place now. */
  close(idle: C): void;
  /** Makes the pool close the connection that is being released, instead of reusing it. */
  closeReleased(connection: C): void;
  /** Listens to releases and removals. Returns what stops it. */
  watch(listener: { released(connection: C): void; removed(): void }): () => void;
  /** Ends a login, so that it fails. */
  abortLogin(connection: C): void;
  /** Calls back when a connection that was closed has ended. */
  onceEnded(connection: C, ended: () => void): void;
}

interface RetirementOptions<C> {
  readonly retireOverMs: number;
  /** The time limit of one login. */
  readonly loginTimeoutMs: number;
  readonly isStale: (connection: C) => boolean;
  /** Whether the server refused a login because it has too many connections. */
  readonly isTooMany: (error: Error) => boolean;
  /** Whether a login is worth trying: false while the server refuses the credential. */
  readonly mayLogIn: () => boolean;
  /** Whether an open connection can serve callers. */
  readonly canServe: () => boolean;
  /** Starts a login that belongs to no caller. Returns its connection, if there is one; `done` gets the error, if any. */
  readonly logIn: (done: (error: Error | undefined) => void) => C | undefined;
}

/** A login that replaces a retired connection. Its place is kept while `owed`. */
interface Replacement<C> {
  connection: C | undefined;
  /** True while it keeps a place without logging in. */
  owed: boolean;
}

/**
 * Replaces the connections of old credentials, spread over a time with jitter: if all of them reconnected in the same instant,
 * it would show in the latency of this process and in the load of a shared server.
 *
 * Callers never pay for it. A replacement logs in before its predecessor closes. Only a pool that has reached its `max`, or
 * the limit of its server, closes first, and then keeps the place for the replacement. While logins fail, nothing more is closed. Idle connections
 * close in their turn; of the busy ones, the next that is released.
 */
export class PacedRetirement<C extends PooledConnection> {
  readonly #pool: PoolConnections<C>;
  readonly #options: RetirementOptions<C>;
  readonly #stopped = new AbortController();
  readonly #replacements = new Set<Replacement<C>>();
  /** Closed connections whose place is kept for a replacement that is not logging in now. */
  #debt = 0;
  /** Places that are kept for a login outside of the pool. */
  #lent = 0;
  /** Runs when the pool has removed a connection that was chosen here, before it serves the next caller. */
  readonly #chosen = new Map<C, () => void>();
  #workers = 0;
  #stepMs = Number.POSITIVE_INFINITY;
  /** When the last turn that was given out begins. */
  #turnAt = 0;

  constructor(pool: PoolConnections<C>, options: RetirementOptions<C>) {
    this.#pool = pool;
    this.#options = options;
  }

  /** The places that callers must not take. When no open connection can serve them, they may log in themselves. */
  get kept(): number {
    return this.#lent + (this.#debt > 0 && this.#options.canServe() ? this.#debt : 0);
  }

  /** Starts, or continues with the connections that became stale meanwhile. */
  start(): void {
    const count = this.#stale().length;
    if (count === 0) return;
    this.#stepMs = Math.min(this.#stepMs, this.#options.retireOverMs / count);
    if (this.#workers > 0) return;
    // The first turn begins within its step, so that the last one does not begin after the whole time.
    this.#turnAt = performance.now() - this.#stepMs / 2;
    this.#work();
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** The pool has removed a connection. */
  removed(connection: C): void {
    const then = this.#chosen.get(connection);
    this.#chosen.delete(connection);
    then?.();
  }

  /** A login has ended, and the pool is about to hear of it. */
  loginEnded(connection: C, error: Error | undefined): void {
    for (const replacement of this.#replacements) {
      if (replacement.connection !== connection) continue;
      this.#replacements.delete(replacement);
      if (error !== undefined) this.#owe(replacement, true);
    }
  }

  /**
   * Closes a connection and keeps its place free until the returned function is called, which replaces the connection.
   * Resolves with `undefined` when all are in use for too long.
   */
  async makeRoom(signal: AbortSignal): Promise<(() => void) | undefined> {
    const bound = deadline(signal, this.#options.loginTimeoutMs / 2);
    let closed = false;
    this.#lent += 1;
    await this.#close(
      () => true,
      bound.signal,
      async (connection) => {
        closed = true;
        await this.#ended(connection, signal);
      },
    );
    bound.release();
    if (!closed) {
      this.#lent -= 1;
      return undefined;
    }
    return () => {
      this.#lent -= 1;
      void this.#replace();
    };
  }

  get #hasRoom(): boolean {
    return this.#pool.all().length + this.#debt + this.#lent < this.#pool.max;
  }

  #stale(): C[] {
    return this.#pool.all().filter((connection) => this.#options.isStale(connection));
  }

  #work(): void {
    this.#workers += 1;
    void this.#retireAll().finally(() => {
      this.#workers -= 1;
      if (this.#workers === 0) this.#stepMs = Number.POSITIVE_INFINITY;
    });
  }

  async #retireAll(): Promise<void> {
    const { signal } = this.#stopped;
    const { isStale, mayLogIn } = this.#options;
    for (;;) {
      const isLate = await this.#turn(signal);
      while (!mayLogIn() && !signal.aborted) await pause(RETRY_BASE_MS, signal);
      const count = this.#stale().length;
      if (count === 0 || signal.aborted) return;
      const first = this.#hasRoom ? await this.#logInFirst() : 'no room';
      if (first === 'accepted') await this.#close(isStale, signal);
      else if (first === 'no room') await this.#close(isStale, signal, (one) => this.#replace(one));
      // Logins work, so a large pool may replace several connections at once to keep up.
      if (isLate && this.#workers < Math.ceil(count / 10)) this.#work();
    }
  }

  /** Waits for the next turn; each belongs to one worker. Resolves with true if it was due before, because logins take long. */
  async #turn(signal: AbortSignal): Promise<boolean> {
    const now = performance.now();
    const due = this.#turnAt + this.#stepMs * (0.5 + Math.random());
    this.#turnAt = Math.max(now, due);
    await pause(this.#turnAt - now, signal);
    return due < now;
  }

  /**
   * Closes one connection: the idle one with the oldest credential, or else the next that is released. Resolves when `then`
   * has, which starts before the pool serves another caller; also when no candidate is left.
   */
  #close(
    accepts: (connection: C) => boolean,
    signal: AbortSignal,
    then: (connection: C) => Promise<unknown> = async () => {},
  ): Promise<void> {
    const pool = this.#pool;
    return new Promise((resolve) => {
      const choose = (connection: C) =>
        this.#chosen.set(connection, () => {
          then(connection).finally(resolve);
        });
      const [idle] = pool
        .idle()
        .filter(accepts)
        .sort((one, other) => one.credentialId - other.credentialId);
      if (idle !== undefined) {
        choose(idle);
        pool.close(idle);
        return;
      }
      const giveUp = () => {
        stop();
        resolve();
      };
      const removed = () => {
        if (!pool.all().some(accepts)) giveUp();
      };
      const unwatch = pool.watch({
        removed,
        released: (connection) => {
          if (!accepts(connection) || this.#chosen.has(connection)) return;
          stop();
          choose(connection);
          pool.closeReleased(connection);
        },
      });
      const stop = () => {
        unwatch();
        signal.removeEventListener('abort', giveUp);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      else removed();
    });
  }

  /** Logs in while there is a place to spare and something to retire. */
  async #logInFirst(): Promise<'accepted' | 'no room' | 'nothing to retire'> {
    const { signal } = this.#stopped;
    const { mayLogIn, isTooMany } = this.#options;
    for (let attempt = 0; !signal.aborted && this.#hasRoom && this.#stale().length > 0; attempt += 1) {
      if (mayLogIn()) {
        const replacement: Replacement<C> = { connection: undefined, owed: false };
        const error = await this.#logIn(replacement);
        if (error === undefined) return 'accepted';
        // Nothing is missing, so nothing is kept.
        this.#owe(replacement, false);
        if (isTooMany(error) && !signal.aborted) return 'no room';
      }
      await pause(retryDelay(attempt), signal);
    }
    return 'nothing to retire';
  }

  /** Replaces a closed connection, and keeps its place until the login succeeds. */
  async #replace(closed?: C): Promise<void> {
    const { signal } = this.#stopped;
    const replacement: Replacement<C> = { connection: undefined, owed: false };
    this.#owe(replacement, true);
    // The server counts a connection until it has ended.
    if (closed !== undefined) await this.#ended(closed, signal);
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      if (this.#options.mayLogIn()) {
        this.#owe(replacement, false);
        if (!this.#hasRoom || (await this.#logIn(replacement)) === undefined) break;
      }
      await pause(retryDelay(attempt), signal);
    }
    this.#owe(replacement, false);
  }

  #owe(replacement: Replacement<C>, owed: boolean): void {
    if (replacement.owed === owed) return;
    replacement.owed = owed;
    this.#debt += owed ? 1 : -1;
  }

  /** Resolves with the error of the login, if any. */
  #logIn(replacement: Replacement<C>): Promise<Error | undefined> {
    this.#replacements.add(replacement);
    const bound = deadline(this.#stopped.signal, this.#options.loginTimeoutMs);
    return new Promise((resolve) => {
      const connection = this.#options.logIn((error) => {
        bound.release();
        resolve(error);
      });
      replacement.connection = connection;
      if (connection === undefined) return;
      bound.signal.addEventListener('abort', () => this.#pool.abortLogin(connection), { once: true });
    });
  }

  /** Resolves when a closed connection has ended, or soon. */
  async #ended(connection: C, signal: AbortSignal): Promise<void> {
    const bound = deadline(signal, END_MS);
    await new Promise<void>((resolve) => {
      this.#pool.onceEnded(connection, resolve);
      bound.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    bound.release();
  }
}

const retryDelay = (attempt: number) => RETRY_BASE_MS + backoffMs(attempt, RETRY_BASE_MS, RETRY_MAX_MS);
