import type { Events } from '../../internal/events';
import { deadline, unrefTimer } from '../../internal/time';
import { type Callers, CredentialGate } from './credential-gate';
import { type LaneLimits, LoginLanes, type LoginOutcome } from './login-lanes';
import { PacedRetirement, type PoolConnections, type PooledConnection } from './paced-retirement';
import type { PoolCredential, PoolEvents, PoolSettings, RotatedPool } from './pool-types';

/** The longest wait for a credential with which no login has succeeded yet: a mistake in it should show soon. */
const FIRST_WAIT_MS = 2000;

/** What the rotation of a pool needs from the pool of a client library. */
export interface PoolAdapter<K, C, Caller extends object> {
  readonly settings: PoolSettings;
  readonly happenings: Events<PoolEvents>;
  readonly callers: Callers<Caller>;
  readonly connections: PoolConnections<C>;
  /** How long a caller of this library waits at most. */
  readonly callerWaitMs?: number | undefined;
  /** How many logins may run at a time. */
  readonly lanes?: LaneLimits;
  /** Logs in with a credential outside of the pool, and runs a query. */
  probe(credential: K, signal: AbortSignal): Promise<void>;
  /** Returns why the server refuses the credential; undefined for any other error. */
  refusalOf(error: Error, credential: K): string | undefined;
  isTooMany(error: unknown): boolean;
  /** Starts a login that belongs to no caller. */
  logIn(done: (error: Error | undefined) => void): C | undefined;
  /** Serves the callers in the queue, as far as connections and places allow. */
  serve(): void;
  /** Hears that the set of open connections, or what is known of one, has changed. */
  changed?(): void;
}

/**
 * The part of a rotating pool that does not depend on its client library: which credential is current, which connections are
 * stale, and when a login may start.
 */
export class PoolCore<K extends PoolCredential, C extends PooledConnection, Caller extends object>
  implements RotatedPool<K, C>
{
  readonly open = new Set<C>();
  readonly gate: CredentialGate<Caller>;
  readonly lanes: LoginLanes;
  readonly retirement: PacedRetirement<C>;
  readonly #adapter: PoolAdapter<K, C, Caller>;
  readonly #watchers = new Set<() => void>();
  readonly #timers = new Set<() => void>();
  /** Errors of logins that are retried. An error of a user's hook may have the same code. */
  readonly #refusals = new WeakSet<Error>();
  readonly #logins = new WeakMap<C, (outcome: LoginOutcome) => void>();
  readonly #ending = new AbortController();
  #credential: K;
  /** True once a login has succeeded: before that there is nothing to protect by a long wait. */
  #proven = false;

  constructor(first: K, adapter: PoolAdapter<K, C, Caller>) {
    const { settings, callers, callerWaitMs = Number.POSITIVE_INFINITY } = adapter;
    this.#credential = first;
    this.#adapter = adapter;
    this.lanes = new LoginLanes(() => adapter.serve(), adapter.lanes);
    this.gate = new CredentialGate<Caller>({
      callers,
      waitMs: () =>
        Math.min(
          settings.authFailureWaitMs,
          callerWaitMs,
          this.#proven ? Number.POSITIVE_INFINITY : FIRST_WAIT_MS,
        ),
      probe: () => this.#probe(),
      opened: () => {
        this.#prove();
        adapter.happenings.emit('accepted', undefined);
        adapter.serve();
      },
    });
    this.retirement = new PacedRetirement<C>(adapter.connections, {
      retireOverMs: settings.retireOverMs,
      loginTimeoutMs: settings.verifyTimeoutMs,
      isStale: (connection) => this.isStale(connection),
      isTooMany: (error) => adapter.isTooMany(error),
      mayLogIn: () => !this.gate.closed && !this.lanes.full,
      canServe: () => [...this.open].some(({ loggingIn }) => !loggingIn),
      logIn: (done) => adapter.logIn(done),
    });
  }

  /** The credential that new connections use. */
  get credential(): K {
    return this.#credential;
  }

  get ending(): boolean {
    return this.#ending.signal.aborted;
  }

  /** True if a caller must stay in the queue although the pool has a place for its login. */
  holdsLogins(): boolean {
    return this.gate.holds() || this.lanes.full;
  }

  /** `swapped` runs before anything that follows from the swap. */
  swap(credential: K, keep: boolean, swapped: () => void = () => {}): void {
    // A login in progress may still be refused with the old credential.
    const kept = keep ? this.of(this.#credential).filter(({ loggingIn }) => !loggingIn) : [];
    for (const connection of kept) connection.credentialId = credential.id;
    this.#credential = credential;
    this.#prove();
    swapped();
    this.retirement.start();
    // The probe verified it, so waiting callers may log in.
    this.gate.open();
  }

  isStale(connection: C): boolean {
    return connection.credentialId !== this.#credential.id;
  }

  stale(): C[] {
    return [...this.open].filter((connection) => this.isStale(connection));
  }

  /** The open connections that logged in with a credential. */
  of({ id }: K): C[] {
    return [...this.open].filter(({ credentialId }) => credentialId === id);
  }

  drained(
    credential: K,
    signal: AbortSignal,
    counts: (connection: C) => boolean = () => true,
  ): Promise<void> {
    return this.until(() => !this.of(credential).some(counts), signal);
  }

  /** Resolves when a condition on the open connections holds, or `signal` aborts. */
  until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds() && !signal.aborted) return;
        this.#watchers.delete(check);
        signal.removeEventListener('abort', check);
        resolve();
      };
      this.#watchers.add(check);
      signal.addEventListener('abort', check, { once: true });
      check();
    });
  }

  makeRoom(signal: AbortSignal): Promise<(() => void) | undefined> {
    return this.retirement.makeRoom(signal);
  }

  loginStarted(connection: C): void {
    this.#logins.set(connection, this.lanes.enter());
  }

  /** Hears of the end of a login before its caller does. */
  loginEnded(connection: C, error: Error | undefined): void {
    const { refusalOf, serve } = this.#adapter;
    const refused = error !== undefined && refusalOf(error, this.#credential) !== undefined;
    if (error === undefined) this.#proven = true;
    this.retirement.loginEnded(connection, error);
    this.#logins.get(connection)?.(error === undefined ? 'accepted' : refused ? 'refused' : 'failed');
    // A login with a replaced credential is retried with its successor, regardless of the cause.
    if (error !== undefined && (refused || this.isStale(connection))) this.#refused(connection, error);
    // The pool records the outcome after this call; then another lane may be free.
    queueMicrotask(serve);
  }

  closed(connection: C): void {
    if (this.open.delete(connection)) this.changed();
  }

  changed(): void {
    this.#adapter.changed?.();
    for (const check of [...this.#watchers]) check();
  }

  /** Returns true if a login that failed is retried, so that its caller goes back to the queue. */
  retries(error: Error): boolean {
    return this.#refusals.has(error) && !this.ending;
  }

  /** Runs `act` later, unless the pool ends before. */
  after(ms: number, act: () => void): void {
    if (ms === Number.POSITIVE_INFINITY) return;
    const cancel = unrefTimer(ms, () => {
      this.#timers.delete(cancel);
      act();
    });
    this.#timers.add(cancel);
  }

  /** Stops everything but the callers. Returns true if those in the queue cannot be served. */
  end(): boolean {
    this.#ending.abort();
    this.#adapter.happenings.emit('ending', undefined);
    const hopeless = this.gate.closed;
    this.gate.stop();
    this.retirement.stop();
    for (const stop of this.#timers) stop();
    return hopeless;
  }

  #prove(): void {
    this.#proven = true;
    this.lanes.open();
  }

  /** Tries the current credential outside the pool. */
  async #probe(): Promise<boolean> {
    const { happenings, settings, probe } = this.#adapter;
    happenings.emit('probing', undefined);
    const bound = deadline(this.#ending.signal, settings.verifyTimeoutMs);
    try {
      await probe(this.#credential, bound.signal);
      return true;
    } catch {
      return false;
    } finally {
      bound.release();
    }
  }

  #refused(connection: C, error: Error): void {
    this.#refusals.add(error);
    if (this.isStale(connection) || this.ending) return;
    const first = !this.gate.closed;
    this.gate.close(error);
    const { happenings, callers } = this.#adapter;
    if (first) happenings.emit('refused', { error, waiting: callers.waiting().length + 1 });
  }
}
