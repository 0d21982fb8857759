import { tracingChannel } from 'node:diagnostics_channel';
import { SecretsError } from '../../errors';
import type { Events } from '../../internal/events';
import { deadline } from '../../internal/time';
import { Closing } from '../../rotation/lifetime';
import { PoolCore } from '../pools/pool-core';
import type { PoolEvents, PoolSettings, RotatedPool } from '../pools/pool-types';
import type { Credential } from './credential';
import {
  type Answer,
  assertInternals,
  type BasePool,
  type Caller,
  copyOf,
  logIn,
  type Mysql,
  type Queue,
  quit,
  type StampedConnection,
} from './mysql-internals';
import { isTooMany, refusalOf } from './refusal';
import type { RefusedLogins } from './refused-logins';

/** The server may refuse the password by the next login, counts the refusals, and may lock the account after three. */
const LANES = { validMs: 100, most: 2 };
/** How long `end()` waits for the server to end the sessions. */
const SESSIONS_END_MS = 1_000;

/** The pool's side of a rotation. */
export interface RotatingPool extends BasePool, RotatedPool<Credential, StampedConnection> {
  /** Closes the connections of a credential, in use or not. */
  force(credential: Credential): void;
}

/** Makes a pool of mysql2 that overrides the steps in which a credential matters, and calls `happenings`. */
export function createRotatingPool(
  mysql: Mysql,
  first: Credential,
  settings: PoolSettings,
  happenings: Events<PoolEvents>,
  probe: (credential: Credential, signal: AbortSignal) => Promise<void>,
  refusedLogins: RefusedLogins,
): RotatingPool {
  class PoolConnection extends mysql.PoolConnection {
    loggingIn = true;
    constructor(
      pool: object,
      config: ConstructorParameters<Mysql['PoolConnection']>[1],
      public credentialId: number,
    ) {
      super(pool, config);
      // mysql2 listens to the first error only; another one would end the process.
      this.on('error', ignore);
    }
  }

  class HotSecretsPool extends mysql.Pool implements RotatingPool {
    readonly #core: PoolCore<Credential, StampedConnection, Caller>;
    readonly #watchers = new Set<{ released(connection: StampedConnection): void; removed(): void }>();
    /** Connections that are closed instead of reused when they are released. */
    readonly #expired = new WeakSet<StampedConnection>();
    /** Connections that log in for no caller. */
    readonly #spare = new Set<StampedConnection>();
    readonly #ended = new Closing();

    constructor() {
      super({ config: first.config });
      assertInternals(mysql, this);
      const pool = this;
      this.#core = new PoolCore<Credential, StampedConnection, Caller>(first, {
        settings,
        happenings,
        lanes: LANES,
        callers: {
          waiting: () => this._connectionQueue.toArray(),
          reject: (caller, error) => {
            removeFrom(this._connectionQueue, caller);
            caller(error);
          },
          hasConnection: () => this._allConnections.length > 0,
        },
        connections: {
          get max() {
            return pool.#limit;
          },
          all: () => this._allConnections.toArray(),
          idle: () => this._freeConnections.toArray(),
          close: (idle) => this.#retire(idle),
          closeReleased: (connection) => void this.#expired.add(connection),
          watch: (listener) => {
            this.#watchers.add(listener);
            return () => void this.#watchers.delete(listener);
          },
          abortLogin: ({ stream }) => void stream.destroy(),
          onceEnded: ({ stream }, ended) => void (stream.closed ? ended() : stream.once('close', ended)),
        },
        probe,
        refusalOf: (error, { trusts }) => refusalOf(error, trusts),
        isTooMany,
        logIn: (done) => this.#logInForNobody(done),
        serve: () => this.#serve(),
      });
    }

    swap(credential: Credential, keep: boolean): void {
      this.#core.swap(credential, keep, () => {
        const { connectionConfig } = credential.config;
        connectionConfig.pool = this;
        this.config.connectionConfig = connectionConfig;
      });
    }

    stale(): StampedConnection[] {
      return this.#core.stale();
    }

    /** The current credential of an ending pool still serves the queue, even while all connections are older ones. */
    async drained(credential: Credential, signal: AbortSignal): Promise<void> {
      const serves = () =>
        this.#ended.started && credential === this.#core.credential && this._connectionQueue.length > 0;
      await this.#core.until(() => !serves() && this.#core.of(credential).length === 0, signal);
    }

    makeRoom(signal: AbortSignal): Promise<(() => void) | undefined> {
      return this.#core.makeRoom(signal);
    }

    force(credential: Credential): void {
      // The rotation ends together with the pool, and closes what is left at the same time limit.
      if (this.#ended.started && credential === this.#core.credential) this.#rejectQueue();
      for (const connection of this.#core.of(credential)) this.#destroy(connection);
      this.#serve();
    }

    // — overrides of mysql2 —

    override getConnection(callback: Caller): void {
      traced(this.config.connectionConfig, callback, (caller) => this.#take(caller));
    }

    override releaseConnection(connection: StampedConnection): void {
      if (connection._pool) for (const { released } of [...this.#watchers]) released(connection);
      if (!connection._pool) this.#serve();
      else if (this.#expired.has(connection)) this.#retire(connection);
      else if (!this.config.resetOnRelease || connection.reset === undefined) this.#reuse(connection);
      else connection.reset((error) => this.#afterReset(connection, error));
    }

    override _removeConnection(connection: StampedConnection): void {
      // mysql2 removes the connection of a failed login before the pool hears of the failure, which then removes it: no caller
      // must take its place between.
      if (connection.loggingIn) return;
      this.#remove(connection);
      // Operators end the sessions of an account right after a change of its password.
      this.#core.lanes.doubt();
      this.#serve();
    }

    /**
     * Ends the pool, unlike that of mysql2, without ending a transaction: it serves the callers in the queue and waits for
     * connections that are in use, up to `drainTimeoutMs`.
     */
    override end(callback?: Answer): void {
      const ended = this.#ended.once(() => this.#end());
      if (callback !== undefined) ended.then(() => process.nextTick(callback));
    }

    override promise(promise?: PromiseConstructor): object {
      const rotation = { get: () => (this as { readonly rotation?: unknown }).rotation };
      return Object.defineProperty(super.promise(promise), 'rotation', rotation);
    }

    // — internals —

    get #limit(): number {
      return this.config.connectionLimit || Number.POSITIVE_INFINITY;
    }

    #take(caller: Caller): void {
      const idle = this.#ended.started ? undefined : this._freeConnections.pop();
      if (this.#ended.started) process.nextTick(caller, new Error('Pool is closed.'));
      else if (idle !== undefined) {
        this.emit('acquire', idle);
        handOver(idle, caller);
      } else if (this.#mayLogIn()) this.#logInFor(caller);
      else this.#enqueue(caller);
    }

    /** Where mysql2 would log in, the caller waits for the login of another one instead. */
    #enqueue(caller: Caller): void {
      const { waitForConnections, queueLimit } = this.config;
      const wanted = this._allConnections.length - this.#spare.size + this._connectionQueue.length;
      if (wanted >= this.#limit && !waitForConnections) {
        process.nextTick(caller, new Error('No connections available.'));
      } else if (queueLimit && wanted >= this.#limit + queueLimit) {
        caller(new Error('Queue limit reached.'));
      } else {
        this.emit('enqueue');
        this._connectionQueue.push(caller);
      }
    }

    #mayLogIn(): boolean {
      if (this.#core.holdsLogins()) return false;
      return this._allConnections.length + this.#core.retirement.kept < this.#limit;
    }

    /** Serves the queue as far as connections and places allow. */
    #serve(): void {
      while (this._connectionQueue.length > 0) {
        const idle = this._freeConnections.pop();
        if (idle === undefined && !this.#mayLogIn()) break;
        const caller = this._connectionQueue.shift() as Caller;
        if (idle === undefined) this.#logInFor(caller);
        else handOver(idle, caller);
      }
      if (this.#ended.started) this.#core.changed();
    }

    #reuse(connection: StampedConnection): void {
      const caller = this._connectionQueue.shift();
      if (caller !== undefined) handOver(connection, caller);
      else if (this.#ended.started) this.#retire(connection);
      else {
        this._freeConnections.push(connection);
        this.emit('release', connection);
      }
    }

    #afterReset(connection: StampedConnection, error: Error | null | undefined): void {
      if (!error) this.#reuse(connection);
      else {
        this.#destroy(connection);
        this.#serve();
      }
    }

    #logInFor(caller: Caller): void {
      this.#logIn((error, connection) => {
        if (error !== null && this.#core.retries(error)) this._connectionQueue.unshift(caller);
        else if (error !== null) caller(error);
        else {
          this.emit('connection', connection);
          this.emit('acquire', connection);
          caller(null, connection);
        }
      });
    }

    #logInForNobody(done: (error: Error | undefined) => void): StampedConnection | undefined {
      const spare = this.#logIn((error, connection) => {
        if (connection !== undefined) this.#spare.delete(connection);
        if (connection !== undefined && error === null) {
          this.emit('connection', connection);
          connection._released = true;
          this.#reuse(connection);
        }
        done(error ?? undefined);
      });
      if (spare !== undefined) this.#spare.add(spare);
      return spare;
    }

    /** Opens a connection. `answer` gets it, or the error of its login. */
    #logIn(answer: Caller): StampedConnection | undefined {
      const { credential } = this.#core;
      const connection = this.#open(credential.id, answer);
      if (connection === undefined) return undefined;
      this.#core.open.add(connection);
      this._allConnections.push(connection);
      const closed = () => this.#core.closed(connection);
      connection.stream.once('close', closed);
      this.#core.loginStarted(connection);
      logIn(mysql, connection, (error) => {
        connection.loggingIn = false;
        if (error) {
          refusedLogins.failed(credential, error);
          this.#destroy(connection);
        } else {
          refusedLogins.accepted(credential);
          // A TLS socket closes with its own event.
          connection.stream.once('close', closed);
        }
        this.#core.loginEnded(connection, error ?? undefined);
        answer(error ?? null, connection);
      });
      return connection;
    }

    #open(credentialId: number, answer: Caller): StampedConnection | undefined {
      try {
        return new PoolConnection(this, { config: copyOf(this.config.connectionConfig) }, credentialId);
      } catch (error) {
        // For example an impossible port.
        process.nextTick(answer, error as Error);
        return undefined;
      }
    }

    /** Takes a connection out of the pool, before another caller is served. */
    #remove(connection: StampedConnection): void {
      connection._pool = null;
      removeFrom(this._allConnections, connection);
      removeFrom(this._freeConnections, connection);
      this.#spare.delete(connection);
      this.#core.retirement.removed(connection);
      for (const { removed } of [...this.#watchers]) removed();
    }

    /** Closes a connection after its last command. */
    #retire(connection: StampedConnection): void {
      this.#remove(connection);
      quit(connection);
      this.#serve();
    }

    #destroy(connection: StampedConnection): void {
      this.#remove(connection);
      connection.stream.destroy();
    }

    async #end(): Promise<void> {
      if (this.#core.end()) this.#rejectQueue();
      for (const idle of this._freeConnections.toArray()) this.#retire(idle);
      // The retirement gives its places back.
      setImmediate(() => this.#serve());
      const forever = new AbortController().signal;
      const drain = deadline(forever, settings.drainTimeoutMs);
      await this.#core.until(
        () => this._allConnections.length === 0 && this._connectionQueue.length === 0,
        drain.signal,
      );
      drain.release();
      this.#rejectQueue();
      for (const connection of this._allConnections.toArray()) this.#destroy(connection);
      const sessions = deadline(forever, SESSIONS_END_MS);
      await this.#core.until(() => this.#core.open.size === 0, sessions.signal);
      sessions.release();
      await new Promise<void>((resolve) => super.end(() => resolve()));
    }

    #rejectQueue(): void {
      for (let caller = this._connectionQueue.shift(); caller; caller = this._connectionQueue.shift()) {
        caller(poolClosed(settings.name));
      }
    }
  }

  return new HotSecretsPool();
}

function ignore(): void {}

function removeFrom<T>(queue: Queue<T>, item: T): void {
  const index = queue.toArray().indexOf(item);
  if (index >= 0) queue.removeOne(index);
}

function handOver(connection: StampedConnection, caller: Caller): void {
  process.nextTick(() => {
    connection._released = false;
    caller(null, connection);
  });
}

/** Publishes a wait for a connection as mysql2 does. */
function traced(
  { database = '', host, port, socketPath }: BasePool['config']['connectionConfig'],
  callback: Caller,
  take: (caller: Caller) => void,
): void {
  const channel = tracingChannel('mysql2:pool:connect');
  // A new function for each call, because a caller may pass the same one twice.
  if (!channel.start.hasSubscribers) {
    take((...answer) => callback(...answer));
    return;
  }
  const server = socketPath
    ? { serverAddress: socketPath, serverPort: undefined }
    : { serverAddress: host, serverPort: port };
  channel.traceCallback(take as never, 0, { database, ...server }, undefined, callback as never);
}

function poolClosed(name: string): SecretsError {
  return new SecretsError('POOL_CLOSED', `the ${name} ended while this caller waited for a connection`, {
    next: 'End the pool after the last query has settled.',
  });
}
