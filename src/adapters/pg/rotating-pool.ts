import type { Client, PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { Events } from '../../internal/events';
import { deadline, unrefTimer } from '../../internal/time';
import { warnOfListener } from '../../internal/warnings';
import { Closing } from '../../rotation/lifetime';
import { applyTo, type Credential, hidePassword, probe } from './credential';
import { CredentialGate } from './credential-gate';
import { LoginLanes, type LoginOutcome } from './login-lanes';
import { PacedRetirement } from './paced-retirement';
import {
  abortLogin,
  assertInternals,
  type BasePool,
  type PendingItem,
  type PgModule,
  refusalOf,
} from './pg-internals';
import type { PoolEvents, PoolSettings, RotatingPool } from './pool-types';
import { type ClientEvents, type StampedClient, stampedClientClass } from './stamped-client';

/** The longest wait for a credential with which no login has succeeded yet: a mistake in it should show soon. */
const FIRST_WAIT_MS = 2000;

/** Makes a pool of pg that overrides the steps in which a credential matters, and calls `happenings`. */
export function createRotatingPool(
  pg: PgModule,
  first: Credential,
  settings: PoolSettings,
  happenings: Events<PoolEvents>,
): RotatingPool {
  const Base = pg.Pool as unknown as new (config: PoolConfig) => BasePool;

  class HotSecretsPool extends Base {
    #credential = first;
    readonly #open = new Set<StampedClient>();
    readonly #watchers = new Set<() => void>();
    readonly #lanes = new LoginLanes(() => this.#pump());
    /** True once a login has succeeded: before that there is nothing to protect by a long wait. */
    #proven = false;
    /** When each caller first waited for a login, by its item in the queue. */
    readonly #since = new WeakMap<PendingItem, number>();
    readonly #gate: CredentialGate;
    readonly #retirement: PacedRetirement;
    /** Errors of logins that are retried. An error of a user's hook may have the same code. */
    readonly #refusals = new WeakSet<Error>();
    readonly #logins = new WeakMap<StampedClient, (outcome: LoginOutcome) => void>();
    readonly #timers = new Set<() => void>();
    readonly #ended = new Closing();
    readonly #StampedClient: PgModule['Client'];
    readonly #ending = new AbortController();

    constructor() {
      super(first.config);
      hidePassword(this.options);
      assertInternals(this, Base.prototype);
      const Client = (first.config.Client ?? pg.Client) as PgModule['Client'];
      const clients = new Events<ClientEvents>(warnOfListener);
      clients.on('opened', (client) => void this.#open.add(client));
      clients.on('loginStarted', (client) => void this.#logins.set(client, this.#lanes.enter()));
      clients.on('loginEnded', ({ client, error }) => this.#loginEnded(client, error));
      clients.on('listening', () => this.#changed());
      clients.on('closed', (client) => {
        this.#open.delete(client);
        this.#changed();
      });
      this.#StampedClient = stampedClientClass(Client, () => this.#credential, clients);
      const { connectionTimeoutMillis } = first.config;
      this.#gate = new CredentialGate(this, {
        waitMs: () =>
          Math.min(
            settings.authFailureWaitMs,
            connectionTimeoutMillis || Number.POSITIVE_INFINITY,
            this.#proven ? Number.POSITIVE_INFINITY : FIRST_WAIT_MS,
          ),
        probe: () => this.#probe(),
        opened: () => {
          this.#prove();
          happenings.emit('accepted', undefined);
          this.#pump();
        },
      });
      this.#retirement = new PacedRetirement(this, {
        retireOverMs: settings.retireOverMs,
        loginTimeoutMs: settings.verifyTimeoutMs,
        isStale: (client) => this.#isStale(client),
        mayLogIn: () => !this.#gate.closed,
        canServe: () => [...this.#open].some(({ loggingIn }) => !loggingIn),
        logIn: (done) => this.#logInForNobody(done),
      });
    }

    swap(credential: Credential, keep: boolean): void {
      const previous = this.#credential;
      this.#credential = credential;
      // A login in progress may still be refused with the old credential.
      const kept = [...this.#open].filter(
        (one) => keep && one.credentialId === previous.id && !one.loggingIn,
      );
      for (const client of kept) client.credentialId = credential.id;
      applyTo(this.options as PoolConfig, credential);
      this.#prove();
      // Operators end the sessions of an old role. A client in a transaction may have no error listener, and must not end
      // the process: its user hears of it from the next query.
      for (const client of this.stale()) {
        if (!client.listeners('error').includes(ignore)) client.on('error', ignore);
      }
      this.#hideStaleErrors();
      this.#retirement.start();
      this.#after(settings.listenDrainTimeoutMs, () => this.force(previous, 'listening'));
      // The probe verified it, so waiting callers may log in.
      this.#gate.open();
    }

    makeRoom(signal: AbortSignal): Promise<(() => void) | undefined> {
      return this.#retirement.makeRoom(signal);
    }

    stale(): StampedClient[] {
      return [...this.#open].filter((client) => this.#isStale(client));
    }

    drained({ id }: Credential, signal: AbortSignal): Promise<void> {
      const left = () => [...this.#open].some((one) => one.credentialId === id && !one.listening);
      return new Promise((resolve) => {
        const check = () => {
          if (left() && !signal.aborted) return;
          this.#watchers.delete(check);
          signal.removeEventListener('abort', check);
          resolve();
        };
        this.#watchers.add(check);
        signal.addEventListener('abort', check, { once: true });
        check();
      });
    }

    force({ id }: Credential, which: 'listening' | 'others'): void {
      for (const client of this.#open) {
        if (client.credentialId !== id) continue;
        if (client.listening === (which === 'listening')) this.#forceClient(client);
      }
      if (this.ending) this._pulseQueue();
      else this.#pump();
    }

    // — overrides of pg-pool —

    /** Reports a full pool to new logins, so that callers stay in the queue, where released clients serve them. */
    override _isFull(): boolean {
      if (this.#gate.holds() || this.#lanes.full) return true;
      return this._clients.length + this.#retirement.kept >= this.options.max;
    }

    override _remove(client: Client, callback?: () => void): void {
      super._remove(client, callback);
      this.#retirement.removed(client);
    }

    /** Returns a caller whose login was refused or outdated to the queue, where the gate or a newer credential decides. */
    override newClient(item: PendingItem): void {
      const answer = item.callback;
      if (!this.#since.has(item)) this.#since.set(item, performance.now());
      item.callback = (error, client, release) => {
        item.callback = answer;
        const retried = error !== undefined && this.#refusals.has(error) && !this.#ended.started;
        if (retried) this.#requeue(item, error);
        else answer(error, client, release);
      };
      this.#logIn(item);
    }

    /**
     * Ends the pool as pg does, with four differences: callers in the queue are served first; those that cannot be served
     * get `POOL_CLOSED` instead of waiting forever; a client that is still checked out at `drainTimeoutMs` is closed; and
     * calling it again is fine.
     */
    override end(callback?: (error?: Error) => void): Promise<void> {
      const ended = this.#ended.once(() => {
        this.#ending.abort();
        happenings.emit('ending', undefined);
        const hopeless = this.#gate.closed;
        this.#gate.stop();
        this.#retirement.stop();
        for (const stop of this.#timers) stop();
        const cancel = unrefTimer(settings.drainTimeoutMs, () => this.#abandon());
        if (hopeless) this.#rejectQueue();
        this.#serveBeforeTheEnd();
        const ending = super.end();
        this.#serveQueue();
        return ending.finally(cancel);
      });
      if (callback === undefined) return asPromiseOf(first.config, ended);
      // Outside of the promise, so that an error of the callback is not a rejection.
      ended.then(
        () => process.nextTick(callback),
        (error) => process.nextTick(callback, error),
      );
      // As pg does; its types declare two overloads.
      return undefined as never;
    }

    // — internals —

    #isStale(client: Client | undefined): boolean {
      const id = (client as StampedClient | undefined)?.credentialId;
      return id !== undefined && id !== this.#credential.id;
    }

    /**
     * Hides the errors of idle connections with an old credential, which are being replaced anyway. Only while there are
     * such connections, because every query emits events.
     */
    #hideStaleErrors(): void {
      if (this.stale().length === 0) Reflect.deleteProperty(this, 'emit');
      else if (!Object.hasOwn(this, 'emit')) {
        this.emit = (event, ...args) =>
          event === 'error' && this.#isStale(args[1] as Client) ? true : super.emit(event, ...args);
      }
    }

    /** Makes the pool serve its queue before it ends. Only from `end()` on, because every query runs these steps. */
    #serveBeforeTheEnd(): void {
      this.connect = (callback) => {
        this.ending = true;
        return super.connect(callback);
      };
      this._pulseQueue = () => {
        if (this.ending && !this.ended && this._pendingQueue.length > 0) this.#serveQueue();
        else super._pulseQueue();
      };
      this._release = (...args) => {
        const serves = this.ending && this._pendingQueue.length > 0;
        this.ending = !serves;
        super._release(...args);
        this.ending = true;
        if (serves) this._pulseQueue();
      };
    }

    /** Serves as many callers of an ending pool as it has clients and places for. */
    #serveQueue(): void {
      this.ending = false;
      this.#pump();
      this.ending = true;
      if (this._pendingQueue.length === 0) super._pulseQueue();
      else if (this._clients.length === 0) {
        this.#rejectQueue();
        super._pulseQueue();
      }
    }

    #rejectQueue(): void {
      for (const { callback: answer } of this._pendingQueue.splice(0)) answer(poolClosed(settings.name));
    }

    /** Opens a connection. The pool shows the class of pg at all other times, because Kysely makes clients of its own with it. */
    #logIn(item: PendingItem): void {
      const { Client } = this;
      this.Client = this.#StampedClient;
      try {
        super.newClient(item);
      } finally {
        this.Client = Client;
      }
    }

    /** Opens a connection that goes straight to the idle ones. */
    #logInForNobody(done: (error: Error | undefined) => void): Client {
      this.#logIn({
        callback: (error, _client, release) => {
          release?.();
          done(error);
        },
      });
      return this._clients.at(-1) as Client;
    }

    /** Puts a caller back whose login was refused, for what is left of its time. */
    #requeue(item: PendingItem, error: Error): void {
      this._pendingQueue.unshift(item);
      const { connectionTimeoutMillis } = first.config;
      if (!connectionTimeoutMillis) return;
      const left = connectionTimeoutMillis - (performance.now() - (this.#since.get(item) as number));
      const answer = item.callback;
      const cancel = unrefTimer(Math.max(0, left), () => {
        if (item.timedOut) return;
        this._pendingQueue = this._pendingQueue.filter((other) => other !== item);
        item.timedOut = true;
        answer(error, undefined, () => {});
      });
      item.callback = (...outcome) => {
        cancel();
        answer(...outcome);
      };
    }

    #prove(): void {
      this.#proven = true;
      this.#lanes.open();
    }

    #loginEnded(client: StampedClient, error: Error | undefined): void {
      const refused = refusalOf(error, this.#credential.trusts) !== undefined;
      if (error === undefined) this.#proven = true;
      this.#retirement.loginEnded(client, error);
      this.#logins.get(client)?.(error === undefined ? 'accepted' : refused ? 'refused' : 'failed');
      // A login with a replaced credential is retried with its successor, regardless of the cause.
      if (error !== undefined && (refused || this.#isStale(client))) this.#refused(client, error);
      // The pool records the outcome after this call; then another lane may be free.
      queueMicrotask(() => this.#pump());
    }

    /** Tries the current credential outside the pool. */
    async #probe(): Promise<boolean> {
      happenings.emit('probing', undefined);
      const bound = deadline(this.#ending.signal, settings.verifyTimeoutMs);
      try {
        await probe(pg, this.#credential, bound.signal);
        return true;
      } catch {
        return false;
      } finally {
        bound.release();
      }
    }

    #refused(client: StampedClient, error: Error): void {
      this.#refusals.add(error);
      if (this.#isStale(client) || this.ending) return;
      const first = !this.#gate.closed;
      this.#gate.close(error);
      if (first) happenings.emit('refused', { error, waiting: this._pendingQueue.length + 1 });
    }

    #after(ms: number, act: () => void): void {
      if (ms === Number.POSITIVE_INFINITY) return;
      const cancel = unrefTimer(ms, () => {
        this.#timers.delete(cancel);
        act();
      });
      this.#timers.add(cancel);
    }

    #pump(): void {
      for (let left = this._pendingQueue.length; left > 0 && !this.ending; left -= 1) {
        if (this._idle.length === 0 && this._isFull()) return;
        this._pulseQueue();
      }
    }

    #changed(): void {
      this.#hideStaleErrors();
      for (const check of [...this.#watchers]) check();
    }

    #forceClient(client: StampedClient): void {
      // Its user may have no error listener, and we cause this error.
      client.on('error', () => {});
      const idle = this._idle.some((one) => one.client === client);
      if (client.loggingIn) abortLogin(client);
      // The pool would give a closed client that stayed idle to the next caller.
      else if (idle || (this.ending && this._clients.includes(client))) this._remove(client);
      else void client.end().catch(() => {});
    }

    /** Closes the clients that the end of the pool still waits for. */
    #abandon(): void {
      // Includes closed clients, which may still be checked out.
      for (const client of this._clients) this.#forceClient(client as StampedClient);
      this._pulseQueue();
    }
  }

  return new HotSecretsPool() as unknown as RotatingPool;
}

function ignore(): void {}

/** Returns the promise as the class that the recipe names, which pg has deprecated. */
function asPromiseOf({ Promise: Custom }: PoolConfig, promise: Promise<void>): Promise<void> {
  return Custom === undefined ? promise : (new Custom((resolve) => resolve(promise)) as Promise<void>);
}

function poolClosed(name: string): SecretsError {
  return new SecretsError('POOL_CLOSED', `the ${name} ended while this caller waited for a connection`, {
    next: 'End the pool after the last query has settled.',
  });
}
