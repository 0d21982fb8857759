import type { Client } from 'pg';
import { backoffMs, deadline, unrefTimer } from '../../internal/time';
import { abortLogin, type PoolInternals } from './pg-internals';
import type { StampedClient } from './stamped-client';

const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2000;
const END_MS = 500;

interface RetirementOptions {
  readonly retireOverMs: number;
  /** The time limit of one login. */
  readonly loginTimeoutMs: number;
  readonly isStale: (client: Client) => boolean;
  /** Whether a login is worth trying: false while the server refuses the credential. */
  readonly mayLogIn: () => boolean;
  /** Whether an open connection can serve callers. */
  readonly canServe: () => boolean;
  /** Starts a login that belongs to no caller. Returns its client; `done` gets the error, if any. */
  readonly logIn: (done: (error: Error | undefined) => void) => Client;
}

/** A login in place of a retired connection. Its place is kept while `owed`. */
interface Replacement {
  client: Client | undefined;
  /** True while it keeps a place without logging in. */
  owed: boolean;
}

/**
 * Replaces the connections of old credentials, spread over a time with jitter: if all of them reconnected in the same instant,
 * it would show in the latency of this process and in the load of a shared server.
 *
 * Callers never pay for it. A replacement logs in before its predecessor closes. Only a pool that has reached its `max`
 * closes first, and then keeps the place for the replacement. While logins fail, nothing more is closed. Idle connections
 * close in their turn; of the busy ones, the next that is released.
 */
export class PacedRetirement {
  readonly #pool: PoolInternals;
  readonly #options: RetirementOptions;
  readonly #stopped = new AbortController();
  readonly #replacements = new Set<Replacement>();
  /** Closed connections whose place is kept for a replacement that is not logging in now. */
  #debt = 0;
  /** Places that are kept for a login outside of the pool. */
  #lent = 0;
  /** Runs when the pool has removed a client that was chosen here, before it serves the next caller. */
  readonly #chosen = new Map<Client, () => void>();
  #workers = 0;
  #stepMs = Number.POSITIVE_INFINITY;

  constructor(pool: PoolInternals, options: RetirementOptions) {
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
    if (this.#workers === 0) this.#work();
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** The pool has removed a client. */
  removed(client: Client): void {
    const then = this.#chosen.get(client);
    this.#chosen.delete(client);
    then?.();
  }

  /** A login has ended, and the pool is about to hear of it. */
  loginEnded(client: Client, error: Error | undefined): void {
    for (const replacement of this.#replacements) {
      if (replacement.client !== client) continue;
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
      async (client) => {
        closed = true;
        await ended(client, signal);
      },
    );
    bound.release();
    if (!closed) this.#lent -= 1;
    if (!closed) return undefined;
    return () => {
      this.#lent -= 1;
      void this.#replace();
    };
  }

  get #hasRoom(): boolean {
    return this.#pool._clients.length + this.#debt + this.#lent < this.#pool.options.max;
  }

  #stale(): Client[] {
    return this.#pool._clients.filter((client) => this.#options.isStale(client));
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
      await pause(this.#stepMs * (0.5 + Math.random()), signal);
      while (!mayLogIn() && !signal.aborted) await pause(RETRY_BASE_MS, signal);
      const count = this.#stale().length;
      if (count === 0 || signal.aborted) return;
      if (this.#hasRoom) {
        if (await this.#logInFirst()) await this.#close(isStale, signal);
      } else {
        await this.#close(isStale, signal, (client) => this.#replace(client));
      }
      // Logins work, so a large pool may replace several connections at once.
      if (this.#workers < Math.ceil(count / 10)) this.#work();
    }
  }

  /**
   * Closes one connection: the idle one with the oldest credential, or else the next that is released. Resolves when `then` has, which starts before the
   * pool serves another caller; also when no candidate is left.
   */
  #close(
    accepts: (client: Client) => boolean,
    signal: AbortSignal,
    then: (client: Client) => Promise<unknown> = async () => {},
  ): Promise<void> {
    const pool = this.#pool;
    return new Promise((resolve) => {
      const choose = (client: Client) =>
        this.#chosen.set(client, () => {
          then(client).finally(resolve);
        });
      const [idle] = pool._idle
        .map(({ client }) => client)
        .filter(accepts)
        .sort((one, other) => ageOf(one) - ageOf(other));
      if (idle !== undefined) {
        choose(idle);
        pool._remove(idle);
        pool._pulseQueue();
        return;
      }
      const stop = () => {
        pool.off('release', onRelease);
        pool.off('remove', onRemove);
        signal.removeEventListener('abort', giveUp);
      };
      const onRelease = (_error: unknown, client: Client) => {
        if (!accepts(client) || this.#chosen.has(client)) return;
        stop();
        choose(client);
        pool._expired.add(client);
      };
      const onRemove = () => {
        if (!pool._clients.some(accepts)) giveUp();
      };
      const giveUp = () => {
        stop();
        resolve();
      };
      pool.on('release', onRelease);
      pool.on('remove', onRemove);
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
      else onRemove();
    });
  }

  /** Logs in with a place to spare. Resolves with false when the place is taken or nothing is stale any more. */
  async #logInFirst(): Promise<boolean> {
    for (let attempt = 0; this.#hasRoom && this.#stale().length > 0; attempt += 1) {
      const replacement: Replacement = { client: undefined, owed: false };
      if (this.#options.mayLogIn() && (await this.#logIn(replacement))) return true;
      // Nothing is missing, so nothing is kept.
      this.#owe(replacement, false);
      await pause(retryDelay(attempt), this.#stopped.signal);
    }
    return false;
  }

  /** Logs in in place of a closed connection, and keeps the place meanwhile. */
  async #replace(closed?: Client): Promise<void> {
    const { signal } = this.#stopped;
    const replacement: Replacement = { client: undefined, owed: false };
    this.#owe(replacement, true);
    // The server counts a connection until it has ended.
    if (closed !== undefined) await ended(closed, signal);
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      if (this.#options.mayLogIn()) {
        this.#owe(replacement, false);
        if (!this.#hasRoom || (await this.#logIn(replacement))) break;
      }
      await pause(retryDelay(attempt), signal);
    }
    this.#owe(replacement, false);
  }

  #owe(replacement: Replacement, owed: boolean): void {
    if (replacement.owed === owed) return;
    replacement.owed = owed;
    this.#debt += owed ? 1 : -1;
  }

  #logIn(replacement: Replacement): Promise<boolean> {
    this.#replacements.add(replacement);
    const bound = deadline(this.#stopped.signal, this.#options.loginTimeoutMs);
    return new Promise((resolve) => {
      const client = this.#options.logIn((error) => {
        bound.release();
        resolve(error === undefined);
      });
      replacement.client = client;
      bound.signal.addEventListener('abort', () => abortLogin(client), { once: true });
    });
  }
}

const ageOf = (client: Client) => (client as StampedClient).credentialId;

const retryDelay = (attempt: number) => RETRY_BASE_MS + backoffMs(attempt, RETRY_BASE_MS, RETRY_MAX_MS);

/** Resolves when a closed connection has ended, or soon. */
async function ended(client: Client, signal: AbortSignal): Promise<void> {
  const bound = deadline(signal, END_MS);
  await new Promise<void>((resolve) => {
    client.once('end', resolve);
    bound.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  bound.release();
}

/** Waits without keeping the process alive. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = unrefTimer(ms, done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
