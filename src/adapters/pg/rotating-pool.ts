import type { Client, Pool, PoolConfig } from 'pg';
import { SecretsError } from '../../errors';
import { Events } from '../../internal/events';
import { unrefTimer } from '../../internal/time';
import { warnOfListener } from '../../internal/warnings';
import { Closing } from '../../rotation/lifetime';
import { PoolCore } from '../pools/pool-core';
import type { PoolEvents, PoolSettings, RotatedPool } from '../pools/pool-types';
import { applyTo, type Credential, hidePassword, probe } from './credential';
import {
  abortLogin,
  assertInternals,
  type BasePool,
  isTooMany,
  type PendingItem,
  type PgModule,
  refusalOf,
} from './pg-internals';
import { type ClientEvents, type StampedClient, stampedClientClass } from './stamped-client';

/** The pool's side of a rotation. */
export interface RotatingPool extends Pool, RotatedPool<Credential, StampedClient> {
  /** Closes the remaining connections of a credential, in use or not. */
  force(credential: Credential, which: 'listening' | 'others'): void;
}

/** Makes a pool of pg that overrides the steps in which a credential matters, and calls `happenings`. */
export function createRotatingPool(
  pg: PgModule,
  first: Credential,
  settings: PoolSettings & { readonly listenDrainTimeoutMs: number },
  happenings: Events<PoolEvents>,
): RotatingPool {
  const Base = pg.Pool as unknown as new (config: PoolConfig) => BasePool;

  class HotSecretsPool extends Base {
    readonly #core: PoolCore<Credential, StampedClient, PendingItem>;
    /** When each caller first waited for a login, by its item in the queue. */
    readonly #since = new WeakMap<PendingItem, number>();
    readonly #ended = new Closing();
    readonly #StampedClient: PgModule['Client'];

    constructor() {
      super(first.config);
      hidePassword(this.options);
      assertInternals(this, Base.prototype);
      const Client = (first.config.Client ?? pg.Client) as PgModule['Client'];
      const clients = new Events<ClientEvents>(warnOfListener);
      clients.on('opened', (client) => void this.#core.open.add(client));
      clients.on('loginStarted', (client) => this.#core.loginStarted(client));
      clients.on('loginEnded', ({ client, error }) => this.#core.loginEnded(client, error));
      clients.on('listening', () => this.#core.changed());
      clients.on('closed', (client) => this.#core.closed(client));
      this.#StampedClient = stampedClientClass(Client, () => this.#core.credential, clients);
      this.#core = new PoolCore<Credential, StampedClient, PendingItem>(first, {
        settings,
        happenings,
        callerWaitMs: first.config.connectionTimeoutMillis || undefined,
        callers: {
          waiting: () => this._pendingQueue,
          reject: (item, error) => {
            this._pendingQueue.splice(this._pendingQueue.indexOf(item), 1);
            item.timedOut = true;
            item.callback(error, undefined, () => {});
          },
          hasConnection: () => this._clients.length > 0,
        },
        connections: {
          max: this.options.max,
          all: () => this._clients as StampedClient[],
          idle: () => this._idle.map(({ client }) => client as StampedClient),
          close: (idle) => {
            this._remove(idle);
            this._pulseQueue();
          },
          closeReleased: (client) => void this._expired.add(client),
          watch: ({ released, removed }) => {
            const onRelease = (_error: unknown, client: StampedClient) => released(client);
            this.on('release', onRelease).on('remove', removed);
            return () => void this.off('release', onRelease).off('remove', removed);
          },
          abortLogin,
          onceEnded: (client, ended) => void client.once('end', ended),
        },
        probe: (credential, signal) => probe(pg, credential, signal),
        refusalOf: (error, { trusts }) => refusalOf(error, trusts),
        isTooMany,
        logIn: (done) => this.#logInForNobody(done),
        serve: () => this.#pump(),
        changed: () => this.#hideStaleErrors(),
      });
    }

    swap(credential: Credential, keep: boolean): void {
      const previous = this.#core.credential;
      this.#core.swap(credential, keep, () => {
        applyTo(this.options as PoolConfig, credential);
        // Operators end the sessions of an old role. A client in a transaction may have no error listener, and must not end
        // the process: its user hears of it from the next query.
        for (const client of this.stale()) {
          if (!client.listeners('error').includes(ignore)) client.on('error', ignore);
        }
        this.#hideStaleErrors();
        this.#core.after(settings.listenDrainTimeoutMs, () => this.force(previous, 'listening'));
      });
    }

    makeRoom(signal: AbortSignal): Promise<(() => void) | undefined> {
      return this.#core.makeRoom(signal);
    }

    stale(): StampedClient[] {
      return this.#core.stale();
    }

    /** Does not wait for connections that hold a LISTEN. */
    drained(credential: Credential, signal: AbortSignal): Promise<void> {
      return this.#core.drained(credential, signal, ({ listening }) => !listening);
    }

    force(credential: Credential, which: 'listening' | 'others'): void {
      for (const client of this.#core.of(credential)) {
        if (client.listening === (which === 'listening')) this.#forceClient(client);
      }
      if (this.ending) this._pulseQueue();
      else this.#pump();
    }

    // — overrides of pg-pool —

    /** Reports a full pool to new logins, so that callers stay in the queue, where released clients serve them. */
    override _isFull(): boolean {
      if (this.#core.holdsLogins()) return true;
      return this._clients.length + this.#core.retirement.kept >= this.options.max;
    }

    override _remove(client: Client, callback?: () => void): void {
      super._remove(client, callback);
      this.#core.retirement.removed(client as StampedClient);
    }

    /** Returns a caller whose login was refused or outdated to the queue, where the gate or a newer credential decides. */
    override newClient(item: PendingItem): void {
      const answer = item.callback;
      if (!this.#since.has(item)) this.#since.set(item, performance.now());
      item.callback = (error, client, release) => {
        item.callback = answer;
        if (error !== undefined && this.#core.retries(error)) this.#requeue(item, error);
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
        const hopeless = this.#core.end();
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

    /**
     * Hides the errors of idle connections with an old credential, which are being replaced anyway. Only while there are
     * such connections, because every query emits events.
     */
    #hideStaleErrors(): void {
      if (this.stale().length === 0) Reflect.deleteProperty(this, 'emit');
      else if (!Object.hasOwn(this, 'emit')) {
        this.emit = (event, ...args) =>
          event === 'error' && this.#isStale(args[1]) ? true : super.emit(event, ...args);
      }
    }

    #isStale(client: unknown): boolean {
      const { credentialId } = (client ?? {}) as Partial<StampedClient>;
      return credentialId !== undefined && this.#core.isStale(client as StampedClient);
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
    #logInForNobody(done: (error: Error | undefined) => void): StampedClient {
      this.#logIn({
        callback: (error, _client, release) => {
          release?.();
          done(error);
        },
      });
      return this._clients.at(-1) as StampedClient;
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

    #pump(): void {
      for (let left = this._pendingQueue.length; left > 0 && !this.ending; left -= 1) {
        if (this._idle.length === 0 && this._isFull()) return;
        this._pulseQueue();
      }
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
