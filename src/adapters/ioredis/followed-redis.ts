import type { Redis, RedisOptions } from 'ioredis';
import { inspectCustom } from '../../internal/builtins';
import { type Login, refusal, refusalOf } from '../redis/login';
import type { Logins, Session } from '../redis/logins';
import { Holding } from './holding';
import {
  type IoredisModule,
  makeRedis,
  type Originals,
  type QueuedCommand,
  type RedisCommand,
  type RedisInternals,
} from './internals';

type RedisLogins = Logins<never, RedisOptions>;

/** Commands with which ioredis starts a connection. */
const HANDSHAKE = new Set(['auth', 'hello', 'select', 'client', 'readonly', 'info']);

/** Other options that ioredis reads at each connection, and that may hold a secret. */
const READ_AGAIN = ['tls', 'sentinelUsername', 'sentinelPassword', 'sentinelTLS'] as const;

const CLOSED = 'Connection is closed.';
const WAIT_MS = 60_000;

/** Returns a function that makes a client of ioredis follow the logins before it has connected, and connects it. */
export function follower({ Redis, Command }: IoredisModule, logins: RedisLogins) {
  const followed = new WeakMap<object, FollowedRedis>();
  const of = (redis: object) => followed.get(redis) as FollowedRedis;
  const originals = Redis.prototype as unknown as Originals;

  /** Methods between those of a client and those of its class, as a subclass has them. */
  const methods: Originals & ThisType<RedisInternals> = {
    sendCommand(command, stream) {
      return of(this).send(command, stream);
    },
    connect(callback) {
      const connected = of(this).connect();
      if (callback !== undefined) connected.then(() => callback(null), callback);
      return connected;
    },
    recoverFromFatalError(commandError, error, options) {
      if (!of(this).recovers(error)) {
        originals.recoverFromFatalError.call(this, commandError, error, options);
      }
    },
    handleReconnection(error, item) {
      if (!of(this).resends(error, item)) originals.handleReconnection.call(this, error, item);
    },
    duplicate(override = {}) {
      const hidden = READ_AGAIN.filter((key) => this.options[key] !== undefined);
      const kept = Object.fromEntries(hidden.map((key) => [key, this.options[key]]));
      const { lazyConnect = false, ...options } = { ...this.options, ...kept, ...override };
      // Somebody else's credential.
      const isOther = 'username' in override || 'password' in override;
      if (isOther) return makeRedis({ Redis }, { ...options, lazyConnect });
      return follow(makeRedis({ Redis }, { ...options, lazyConnect: true }), lazyConnect);
    },
    [inspectCustom]() {
      return `Redis { status: '${this.status}' }`;
    },
  };
  const prototype: object = Object.assign(Object.create(Redis.prototype), methods);

  function follow(redis: Redis, lazyConnect: boolean): Redis {
    Object.setPrototypeOf(redis, prototype);
    const client = redis as unknown as RedisInternals;
    const calls: Calls = {
      auth: (words) => new Command('auth', words, { replyEncoding: 'utf8' }) as unknown as RedisCommand,
      send: (command, stream) => originals.sendCommand.call(client, command, stream),
      connect: () => originals.connect.call(client),
    };
    followed.set(redis, new FollowedRedis(client, logins, calls));
    redis.options.lazyConnect = lazyConnect;
    logins.client.expose(redis);
    if (!lazyConnect) redis.connect().catch(() => {});
    return redis;
  }

  return follow;
}

interface Calls {
  /** Makes an AUTH command. */
  auth(words: string[]): RedisCommand;
  send(command: RedisCommand, stream?: unknown): unknown;
  connect(): Promise<void>;
}

/** One client of ioredis: it authenticates between commands, and holds commands until the server accepted its login. */
class FollowedRedis implements Session<RedisOptions> {
  readonly #redis: RedisInternals;
  readonly #logins: RedisLogins;
  readonly #calls: Calls;
  readonly #held: Holding;
  readonly #firstSent = new WeakMap<RedisCommand, number>();
  #login: Login<RedisOptions> | undefined;
  #loggingIn: Login<RedisOptions> | undefined;
  /** The server has not accepted the login of the open connection, or it has ended its rights. */
  #barred = false;
  /** ioredis 5 calls a connection ready before the answer to its login, unless it checks that. */
  #isLoggingIn = false;
  #inTransaction = false;
  #isAuthenticating = false;
  #cancelConnect = () => {};

  constructor(redis: RedisInternals, logins: RedisLogins, calls: Calls) {
    this.#redis = redis;
    this.#logins = logins;
    this.#calls = calls;
    this.#held = new Holding(logins);
    this.#connectWithCurrentLogin();
    redis.on('ready', () => this.#ready());
    redis.on('close', () => this.#lost());
    redis.on('end', () => {
      this.#held.reject(new Error(CLOSED));
      logins.remove(this);
    });
    logins.add(this);
  }

  get login(): Login<RedisOptions> | undefined {
    return this.#login;
  }

  async connect(): Promise<void> {
    const logins = this.#logins;
    if (logins.stopped) throw logins.closed();
    logins.add(this);
    try {
      await this.#calls.connect();
    } catch (error) {
      if (logins.refusal === undefined) throw error;
      await logins.accepted(logins.waitMs);
      await this.#nextReady();
    }
  }

  send(command: RedisCommand, stream: unknown): unknown {
    const { status } = this.#redis;
    if (status === 'connect' && stream == null && HANDSHAKE.has(command.name)) {
      if (command.name === 'auth' || command.name === 'hello') this.#observeLogin(command);
      return this.#calls.send(command, stream);
    }
    if (this.#holds(status)) {
      // Only a connection has a database.
      if (status === 'wait') this.connect().catch(() => {});
      this.#hold({ command, stream, select: this.#redis.condition?.select });
      return command.promise;
    }
    return this.#sendNow(command, stream);
  }

  #sendNow(command: RedisCommand, stream: unknown): unknown {
    const { name } = command;
    // The commands of a pipeline are written together.
    if (stream == null && name === 'multi') this.#inTransaction = true;
    const sent = this.#calls.send(command, stream);
    if (this.#inTransaction && (name === 'exec' || name === 'discard')) {
      this.#inTransaction = false;
      this.authenticate();
    }
    return sent;
  }

  /** AUTH goes behind the commands that were sent. */
  authenticate(): void {
    const login = this.#logins.current;
    const { status, mode } = this.#redis;
    // A connection that is not ready uses the current login anyway.
    if (status !== 'ready' || (this.#login === login && !this.#barred)) return;
    if (this.#isAuthenticating || this.#inTransaction) return;
    if (mode !== 'normal') {
      this.reconnect();
      return;
    }
    this.#isAuthenticating = true;
    const words = login.username === undefined ? [login.password] : [login.username, login.password];
    const command = this.#calls.auth(words);
    this.#calls.send(command);
    command.promise.then(
      () => {
        this.#isAuthenticating = false;
        if (this.#redis.status === 'ready') this.#accept(login);
        this.authenticate();
      },
      (error: unknown) => {
        this.#isAuthenticating = false;
        this.#tellRefusal(login, error);
        // Other errors say that the server has no passwords.
        if (refusalOf(error) === undefined && this.#redis.status === 'ready') this.#accept(login);
        if (login !== this.#logins.current) this.authenticate();
      },
    );
  }

  reconnect(): void {
    this.#redis.disconnect(true);
  }

  refused(): void {
    const { status, offlineQueue, prevCommandQueue } = this.#redis;
    if (status === 'ready' || status === 'end') return;
    // ioredis keeps them without a limit.
    const resent = this.#redis.options.autoResendUnfulfilledCommands === false ? undefined : prevCommandQueue;
    if (prevCommandQueue != null) this.#redis.prevCommandQueue = null;
    for (const queue of [resent, offlineQueue]) {
      for (let item = queue?.shift(); item !== undefined; item = queue?.shift()) this.#hold(item);
    }
  }

  accepted(): void {
    // The server may have ended the rights of the session in the meantime.
    this.#barred ||= this.#redis.status === 'ready' && this.#held.size > 0;
    this.authenticate();
    this.#release();
  }

  /** Handles a failed handshake. Returns false for an error that does not concern the login. */
  recovers(error: unknown): boolean {
    if (refusalOf(error) === undefined || this.#login !== undefined) return false;
    this.#barred = true;
    if (this.#loggingIn !== undefined) this.#tellRefusal(this.#loggingIn, error);
    this.#redis.disconnect(true);
    return true;
  }

  /** Handles a command that the server did not run for lack of rights. Returns false for other errors. */
  resends(error: Error, item: QueuedCommand): boolean {
    const { command } = item;
    const isOurs = command.inTransaction !== true && !HANDSHAKE.has(command.name);
    if (!isOurs || this.#inTransaction || refusalOf(error) === undefined) return false;
    const since = this.#firstSent.get(command) ?? performance.now();
    this.#firstSent.set(command, since);
    const logins = this.#logins;
    const login = logins.current;
    const again = () => {
      this.#hold({ command, stream: undefined, select: item.select });
      this.authenticate();
      this.#release();
    };
    if (performance.now() - since > logins.waitMs) return false;
    // AUTH with a newer login is under way: the command follows it.
    if (this.#login !== login && logins.refusal === undefined) again();
    else {
      void logins.test().then((refused) => {
        // The user may log in, but not run this command.
        if (refused === undefined && login === logins.current) return command.reject(error);
        this.#barred ||= this.#redis.status === 'ready';
        if (refused !== undefined) logins.refused(login, refused);
        again();
      });
    }
    return true;
  }

  #holds(status: string): boolean {
    if (status === 'end') return false;
    if (this.#barred || this.#held.size > 0) return true;
    const waits = status !== 'ready' && this.#redis.options.enableOfflineQueue !== false;
    return waits && this.#logins.refusal !== undefined;
  }

  #hold(item: QueuedCommand): void {
    this.#held.add(item);
  }

  /** Sends the held commands, or gives them back to ioredis until the next connection. */
  #release(): void {
    if (this.#barred) return;
    if (this.#redis.status === 'ready') {
      for (const { command, stream } of this.#held.take()) this.#sendNow(command, stream);
    } else if (this.#logins.refusal === undefined) {
      for (const item of this.#held.take()) this.#redis.offlineQueue.push(item);
    }
  }

  #observeLogin(command: RedisCommand): void {
    const login = this.#loggingIn;
    this.#barred = true;
    this.#isLoggingIn = true;
    const done = () => {
      if (login !== this.#loggingIn) return;
      this.#barred = false;
      this.#isLoggingIn = false;
      if (this.#redis.status === 'ready') this.#ready();
      else this.#release();
    };
    command.promise.then(done, (error: unknown) => {
      // ioredis connects without a login where the server has no passwords, or does not know HELLO.
      if (refusalOf(error) === undefined) done();
    });
  }

  #ready(): void {
    if (this.#isLoggingIn) return;
    this.#accept(this.#loggingIn);
    this.authenticate();
  }

  #accept(login: Login<RedisOptions> | undefined): void {
    this.#login = login;
    this.#barred = false;
    // ioredis reads it at the next connection only, and prints it.
    if (this.#redis.condition !== null) this.#redis.condition.auth = undefined;
    this.#logins.changed();
    this.#release();
  }

  #lost(): void {
    this.#login = undefined;
    this.#barred = false;
    this.#isLoggingIn = false;
    this.#inTransaction = false;
    this.#logins.changed();
    this.#release();
  }

  #tellRefusal(login: Login<RedisOptions>, error: unknown): void {
    const code = refusalOf(error);
    if (code !== undefined) this.#logins.refused(login, refusal(this.#logins.name, code));
  }

  /** Waits while the server refuses the login, before ioredis opens a connection. */
  #connectWithCurrentLogin(): void {
    const redis = this.#redis;
    const logins = this.#logins;
    for (const key of ['username', 'password'] as const) {
      const get = () => logins.current[key];
      Object.defineProperty(redis.options, key, { get, configurable: true, enumerable: false });
    }
    for (const key of READ_AGAIN) {
      const first = redis.options[key];
      const given = logins.current.options[key];
      // A duplicate may have its own.
      if (given === undefined || first !== given) continue;
      const get = () => logins.current.options[key] ?? first;
      Object.defineProperty(redis.options, key, { get, configurable: true, enumerable: false });
    }
    // Where a login passes through. What is not enumerable, nothing prints.
    for (const key of ['commandQueue', 'offlineQueue', 'prevCommandQueue', 'condition'] as const) {
      const value: unknown = (redis as unknown as Record<string, unknown>)[key];
      Object.defineProperty(redis, key, { value, writable: true, configurable: true, enumerable: false });
    }
    const { connector } = redis;
    const { connect, disconnect } = connector;
    connector.connect = async (emit) => {
      const cancelled = new Promise<never>((_, reject) => {
        this.#cancelConnect = () => reject(new Error(CLOSED));
      });
      cancelled.catch(() => {});
      while (logins.refusal !== undefined && !logins.stopped) {
        await Promise.race([cancelled, logins.accepted(WAIT_MS).catch(() => {})]);
      }
      const { username, password } = logins.current;
      this.#loggingIn = logins.current;
      if (redis.condition !== null) {
        const value = username === undefined ? password : [username, password];
        Object.defineProperty(redis.condition, 'auth', {
          value,
          writable: true,
          configurable: true,
          enumerable: false,
        });
      }
      return connect.call(connector, emit);
    };
    connector.disconnect = () => {
      this.#cancelConnect();
      disconnect.call(connector);
    };
  }

  #nextReady(): Promise<void> {
    const redis = this.#redis;
    if (redis.status === 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (done: () => void) => () => {
        redis.removeListener('ready', ready);
        redis.removeListener('end', end);
        done();
      };
      const ready = settle(resolve);
      const end = settle(() => reject(new Error(CLOSED)));
      redis.on('ready', ready);
      redis.on('end', end);
    });
  }
}
