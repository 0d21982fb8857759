import type { Client, Pool, PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { Events } from '../../internal/events';
import { deadline, unrefTimer } from '../../internal/time';
import { warnOfListener } from '../../internal/warnings';
import { Closing } from '../../rotation/lifetime';
import { type Credential, probe } from './credential';
import { CredentialGate } from './credential-gate';
import { LoginLanes, type LoginOutcome } from './login-lanes';
import { PacedRetirement } from './paced-retirement';
import {
  abortLogin,
  assertInternals,
  isRefusal,
  type PendingItem,
  type PgModule,
  type PoolInternals,
} from './pg-internals';
import { type ClientEvents, type StampedClient, stampedClientClass } from './stamped-client';

/** Durations are milliseconds. */
export interface PoolSettings {
  readonly name: string;
  readonly retireOverMs: number;
  readonly authFailureWaitMs: number;
  readonly listenDrainTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly verifyTimeoutMs: number;
}

/** What happens to the pool. */
export interface PoolEvents {
  /** A login with the current credential was refused, the first since one was accepted. */
  refused: { readonly error: Error; readonly waiting: number };
  /** The current credential is tried again outside the pool: a newer one may be there, too. */
  probing: undefined;
  /** The server accepts logins again. */
  accepted: undefined;
  /** The pool is ending. */
  ending: undefined;
}

/** The pool's side of a rotation. */
export interface RotatingPool extends Pool {
  /** New connections log in with this credential from now on; older ones are retired. */
  swap(credential: Credential): void;
  /** Open connections whose credential is not the current one. */
  stale(): StampedClient[];
  /** Resolves when no connection of a credential is left, except those that hold a LISTEN. */
  drained(credential: Credential, signal: AbortSignal): Promise<void>;
  /** Closes the remaining connections of a credential, in use or not. */
  force(credential: Credential, which: 'listening' | 'others'): void;
}

/** The overridden methods of the pool in one form each: pg declares them with overloads. */
interface Overridable {
  emit(event: string | symbol, ...args: unknown[]): boolean;
  end(callback?: (error?: Error) => void): Promise<void>;
}

type BasePool = Omit<Pool, keyof Overridable> & PoolInternals & Overridable;

/** Makes the pool: pg's own, with those steps overridden in which a credential matters. It tells `happenings` what happens. */
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
    readonly #gate: CredentialGate;
    readonly #retirement: PacedRetirement;
    /** Errors of logins that are retried: a hook of the user may fail with the same code. */
    readonly #refusals = new WeakSet<Error>();
    readonly #logins = new WeakMap<StampedClient, (outcome: LoginOutcome) => void>();
    readonly #timers = new Set<() => void>();
    readonly #ended = new Closing();
    readonly #ending = new AbortController();

    constructor() {
      super(first.config);
      assertInternals(this);
      const Client = (first.config as { Client?: PgModule['Client'] }).Client ?? pg.Client;
      const clients = new Events<ClientEvents>(warnOfListener);
      clients.on('opened', (client) => void this.#open.add(client));
      clients.on('loginStarted', (client) => void this.#logins.set(client, this.#lanes.enter()));
      clients.on('loginEnded', ({ client, error }) => this.#loginEnded(client, error));
      clients.on('listening', () => this.#changed());
      clients.on('closed', (client) => {
        this.#open.delete(client);
        this.#changed();
      });
      (this as unknown as { Client: PgModule['Client'] }).Client = stampedClientClass(
        Client,
        () => this.#credential,
        clients,
      );
      const { connectionTimeoutMillis } = first.config;
      this.#gate = new CredentialGate(this, {
        waitMs: Math.min(settings.authFailureWaitMs, connectionTimeoutMillis || Number.POSITIVE_INFINITY),
        probe: () => this.#probe(),
        opened: () => {
          happenings.emit('accepted', undefined);
          this.#pump();
        },
      });
      this.#retirement = new PacedRetirement(this, settings.retireOverMs, (client) => this.#isStale(client));
    }

    swap(credential: Credential): void {
      const previous = this.#credential;
      this.#credential = credential;
      applyTo(this.options as PoolConfig, credential);
      this.#retirement.start();
      this.#after(settings.listenDrainTimeoutMs, () => this.force(previous, 'listening'));
      // It was verified: waiting callers may log in.
      this.#gate.open();
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

    // — pg-pool's own steps —

    /** Full for new logins: callers stay in the queue, where released clients serve them. */
    override _isFull(): boolean {
      return this.#gate.holds() || this.#lanes.full || super._isFull();
    }

    /** A caller whose login is refused or outdated goes back into the queue: the gate, or a newer credential, decides. */
    override newClient(item: PendingItem): void {
      const answer = item.callback;
      item.callback = (error, client, release) => {
        item.callback = answer;
        if (error === undefined || !this.#refusals.has(error) || this.ending) answer(error, client, release);
        else this._pendingQueue.unshift(item);
      };
      super.newClient(item);
    }

    /** The error of an idle connection with an old credential is not reported: it is being replaced anyway. */
    override emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event === 'error' && this.#isStale(args[1] as Client)) return true;
      return super.emit(event, ...args);
    }

    /**
     * As pg's, with three differences: waiting callers get `POOL_CLOSED` instead of waiting forever, a client that is
     * still checked out at `drainTimeoutMs` is closed, and calling it again is fine.
     */
    override end(callback?: (error?: Error) => void): Promise<void> {
      const ended = this.#ended.once(() => {
        this.#ending.abort();
        happenings.emit('ending', undefined);
        this.#gate.stop();
        this.#retirement.stop();
        for (const stop of this.#timers) stop();
        const ending = super.end();
        const cancel = unrefTimer(settings.drainTimeoutMs, () => this.#abandon());
        for (const { callback: answer } of this._pendingQueue.splice(0)) answer(poolClosed(settings.name));
        return ending.finally(cancel);
      });
      if (callback !== undefined) ended.then(() => callback(), callback);
      return ended;
    }

    // — inside —

    #isStale(client: Client | undefined): boolean {
      const id = (client as StampedClient | undefined)?.credentialId;
      return id !== undefined && id !== this.#credential.id;
    }

    #loginEnded(client: StampedClient, error: Error | undefined): void {
      const refused = isRefusal(error);
      this.#logins.get(client)?.(error === undefined ? 'accepted' : refused ? 'refused' : 'failed');
      // A login with a replaced credential is retried with its successor, regardless of the cause.
      if (error !== undefined && (refused || this.#isStale(client))) this.#refused(client, error);
      // The pool notes the outcome after this call; then another lane may be free.
      void Promise.resolve().then(() => this.#pump());
    }

    /** Tries the current credential outside the pool. */
    async #probe(): Promise<boolean> {
      happenings.emit('probing', undefined);
      const bound = deadline(this.#ending.signal, settings.verifyTimeoutMs);
      try {
        await probe(pg.Client, settings.name, this.#credential, bound.signal);
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
      for (const check of [...this.#watchers]) check();
    }

    #forceClient(client: StampedClient): void {
      // Its user may have no error listener, and this error is our doing.
      client.on('error', () => {});
      const idle = this._idle.some((one) => one.client === client);
      if (client.loggingIn) abortLogin(client);
      // A closed client that stayed idle in the pool would go to the next caller.
      else if (idle || (this.ending && this._clients.includes(client))) this._remove(client);
      else void client.end().catch(() => {});
    }

    /** Closes the clients that the end of the pool still waits for. */
    #abandon(): void {
      // Not only open ones: a closed client may still be checked out.
      for (const client of this._clients) this.#forceClient(client as StampedClient);
      this._pulseQueue();
    }
  }

  return new HotSecretsPool() as unknown as RotatingPool;
}

/** ORMs read `pool.options`. Like pg-pool itself, this keeps the password out of printed options. */
function applyTo(options: PoolConfig, { config }: Credential): void {
  const { password, max, min, idleTimeoutMillis, connectionTimeoutMillis, ...rest } = config;
  Object.assign(options, rest);
  Object.defineProperty(options, 'password', {
    configurable: true,
    enumerable: false,
    writable: true,
    value: password,
  });
}

function poolClosed(name: string): SecretsError {
  return new SecretsError('POOL_CLOSED', `the ${name} was ended while this caller waited for a connection`, {
    next: 'End the pool after the last query has settled.',
  });
}
