import type { Client, Pool, PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { unrefTimer } from '../../internal/time';
import { CredentialGate } from './credential-gate';
import { LoginLanes } from './login-lanes';
import { PacedRetirement } from './paced-retirement';
import {
  abortLogin,
  assertInternals,
  isRefusal,
  type PendingItem,
  type PgModule,
  type PoolInternals,
} from './pg-internals';
import type { Credential } from './recipe';
import { type StampedClient, stampedClientClass } from './stamped-client';

/** What surrounds the pool: the engine's side and the caller's settings. */
export interface PoolControl {
  readonly name: string;
  readonly retireOverMs: number;
  readonly authFailureWaitMs: number;
  readonly listenDrainTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** A login was refused: look at the sources now. */
  refused(error: Error, waiting: number): void;
  accepted(): void;
  /** Tries a credential outside the pool. */
  probe(credential: Credential): Promise<boolean>;
  /** The pool is ending: stop following the store. */
  ending(): void;
}

/** The pool's side of a rotation. */
export interface RotatingPool extends Pool {
  switchTo(credential: Credential): void;
  /** Open connections whose credential is not the current one. */
  stale(): StampedClient[];
  /** Resolves when no connection of a credential is left, but for those that hold a LISTEN. */
  drained(credential: Credential, signal: AbortSignal): Promise<void>;
  /** Closes what is left of a credential, in use or not. */
  force(credential: Credential, which: 'listening' | 'others'): void;
}

/** The pool's methods in the form in which they are overridden: pg declares them with overloads. */
interface Overridable {
  emit(event: string | symbol, ...args: unknown[]): boolean;
  end(callback?: (error?: Error) => void): Promise<void>;
}

type BasePool = Omit<Pool, keyof Overridable> & PoolInternals & Overridable;

/** Makes the pool: pg's own, with the steps overridden at which a credential matters. */
export function createRotatingPool(pg: PgModule, first: Credential, control: PoolControl): RotatingPool {
  const Base = pg.Pool as unknown as new (config: PoolConfig) => BasePool;

  class HotSecretsPool extends Base {
    #credential = first;
    readonly #open = new Set<StampedClient>();
    readonly #watchers = new Set<() => void>();
    readonly #lanes = new LoginLanes(() => this.#pump());
    readonly #gate: CredentialGate;
    readonly #retirement: PacedRetirement;
    /** What logins failed with that are tried again: a hook of the user may fail with the same code. */
    readonly #refusals = new WeakSet<Error>();
    readonly #timers = new Set<() => void>();
    #ended: Promise<void> | undefined;

    constructor() {
      super(first.config);
      assertInternals(this);
      const Client = (first.config as { Client?: PgModule['Client'] }).Client ?? pg.Client;
      (this as unknown as { Client: PgModule['Client'] }).Client = stampedClientClass(Client, {
        credential: () => this.#credential,
        opened: (client) => this.#open.add(client),
        connecting: (client) => this.#connecting(client),
        listening: () => this.#changed(),
        closed: (client) => {
          this.#open.delete(client);
          this.#changed();
        },
      });
      this.#gate = new CredentialGate({
        waitMs: Math.min(
          control.authFailureWaitMs,
          first.config.connectionTimeoutMillis || Number.POSITIVE_INFINITY,
        ),
        queue: () => this._pendingQueue,
        served: () => this._clients.length > 0,
        probe: () => control.probe(this.#credential),
        opened: () => {
          control.accepted();
          this.#pump();
        },
      });
      this.#retirement = new PacedRetirement(this, control.retireOverMs, (client) => this.#isStale(client));
    }

    switchTo(credential: Credential): void {
      const previous = this.#credential;
      this.#credential = credential;
      applyTo(this.options as PoolConfig, credential);
      this.#retirement.start();
      this.#after(control.listenDrainTimeoutMs, () => this.force(previous, 'listening'));
      // It was verified: whoever waited may log in.
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

    /** Full, as far as new logins are concerned: waiters stay in the queue, where released clients serve them. */
    override _isFull(): boolean {
      return this.#gate.holds() || this.#lanes.full || super._isFull();
    }

    /** A caller whose login is refused, or was overtaken, goes back into the queue: the gate, or a newer credential, decides. */
    override newClient(item: PendingItem): void {
      const answer = item.callback;
      item.callback = (error, client, release) => {
        item.callback = answer;
        if (error === undefined || !this.#refusals.has(error) || this.ending) answer(error, client, release);
        else this._pendingQueue.unshift(item);
      };
      super.newClient(item);
    }

    /** An idle connection of an old credential may die as it likes: it is replaced, and nobody was using it. */
    override emit(event: string | symbol, ...args: unknown[]): boolean {
      if (event === 'error' && this.#isStale(args[1] as Client)) return true;
      return super.emit(event, ...args);
    }

    /**
     * As pg's, but: callers who wait get `POOL_CLOSED` instead of waiting for ever, a client that is still checked out
     * at `drainTimeoutMs` is closed, and calling it again is fine.
     */
    override end(callback?: (error?: Error) => void): Promise<void> {
      if (this.#ended === undefined) {
        control.ending();
        this.#gate.stop();
        this.#retirement.stop();
        for (const stop of this.#timers) stop();
        this.#ended = super.end();
        const cancel = unrefTimer(control.drainTimeoutMs, () => this.#abandon());
        this.#ended.then(cancel, cancel);
        for (const { callback: answer } of this._pendingQueue.splice(0)) answer(poolClosed(control.name));
      }
      if (callback !== undefined) this.#ended.then(() => callback(), callback);
      return this.#ended;
    }

    // — inside —

    #isStale(client: Client | undefined): boolean {
      const id = (client as StampedClient | undefined)?.credentialId;
      return id !== undefined && id !== this.#credential.id;
    }

    #connecting(client: StampedClient): (error: Error | undefined) => void {
      const leave = this.#lanes.enter();
      return (error) => {
        const refused = isRefusal(error);
        leave(error === undefined ? 'accepted' : refused ? 'refused' : 'failed');
        // What was replaced meanwhile is tried again with what replaced it, whatever it failed of.
        if (error !== undefined && (refused || this.#isStale(client))) this.#refused(client, error);
        // The pool notes the outcome after this call; then another lane may be free.
        queueMicrotask(() => this.#pump());
      };
    }

    #refused(client: StampedClient, error: Error): void {
      this.#refusals.add(error);
      if (this.#isStale(client) || this.ending) return;
      const first = !this.#gate.closed;
      this.#gate.close(error);
      if (first) control.refused(error, this._pendingQueue.length + 1);
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
      // Its user may have no error listener; what happens now is our doing.
      client.on('error', () => {});
      const idle = this._idle.some((one) => one.client === client);
      if (client.loggingIn) abortLogin(client);
      // Left idle in the pool, a closed one would be handed to the next caller.
      else if (idle || (this.ending && this._clients.includes(client))) this._remove(client);
      else void client.end().catch(() => {});
    }

    /** Closes what the end of the pool still waits for. */
    #abandon(): void {
      // Not what is open: one that was closed already may be checked out still.
      for (const client of this._clients) this.#forceClient(client as StampedClient);
      this._pulseQueue();
    }
  }

  return new HotSecretsPool() as unknown as RotatingPool;
}

/** ORMs read `pool.options`; like pg-pool itself this keeps the password out of printed options. */
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
