import { errorCode } from '../../internal/describe-error';
import { type Login, refusal, refusalOf } from './login';
import type { Logins, Session } from './logins';
import type { ClientInternals, ClientOptions, CommandOptions, QueueInternals } from './node-redis';
import { followedProvider, type StreamingProvider } from './provider';
import { READS } from './reads';

/** Which commands are sent again after their connection broke, although the server may have run them. */
export type Resend = 'reads' | 'all' | 'none';

type RedisLogins = Logins<never, ClientOptions>;

/** Marks the commands of this file. */
const OWN = Symbol('hot-secrets');

/** Keeps, in the options of a command, when it was sent first and how often its connection broke. */
const HISTORY = Symbol('hot-secrets');

interface History {
  readonly since: number;
  readonly breaks: number;
}

const MAX_BREAKS = 5;
const LOADING_PAUSE_MS = 50;

/** The chain of commands with which node-redis starts a connection. */
const HANDSHAKE = 'Socket Initiator';

/**
 * Makes a client of node-redis, and its duplicates, follow the logins. `make` makes the client with a provider.
 */
export function followClient<C>(
  logins: RedisLogins,
  resend: Resend,
  make: (provider: StreamingProvider) => C,
): C {
  let followed: FollowedClient | undefined;
  const client = make(followedProvider(logins, () => (followed as FollowedClient).connecting()));
  // What users have is an object whose prototype is the client.
  const self = (client as { readonly _self?: ClientInternals })._self ?? (client as ClientInternals);
  followed = new FollowedClient(self, logins, resend);
  const { duplicate } = self;
  self.duplicate = function (this: ClientInternals, overrides) {
    return followClient(logins, resend, (credentialsProvider) =>
      duplicate.call(this, { ...overrides, credentialsProvider }),
    );
  };
  logins.client.expose(self);
  return client;
}

/** One client of node-redis: it authenticates between commands, and holds commands until the server accepted its login. */
class FollowedClient implements Session<ClientOptions> {
  readonly #client: ClientInternals;
  readonly #queue: QueueInternals;
  readonly #logins: RedisLogins;
  readonly #resend: Resend;
  #login: Login<ClientOptions> | undefined;
  #loggingIn: Login<ClientOptions> | undefined;
  /** Commands of the handshake that are queued, at the head of the queue. */
  #handshake = 0;
  /** The number of the last connection. */
  #connections = 0;
  #inTransaction = false;
  #isAuthenticating = false;
  #giveUp: NodeJS.Timeout | undefined;
  #rejectConnect: ((error: Error) => void) | undefined;
  /** The client closes, but may be told to connect again. */
  #isGivingUp = false;

  constructor(client: ClientInternals, logins: RedisLogins, resend: Resend) {
    this.#client = client;
    this.#queue = client._getQueue();
    this.#logins = logins;
    this.#resend = resend;
    this.#holdUntilReady();
    this.#interceptCommands();
    this.#limitConnect();
    client.on('ready', () => {
      this.#login = this.#loggingIn;
      logins.changed();
      this.authenticate();
    });
    client.on('reconnecting', () => this.#lost());
    client.on('terminated', () => this.#lost());
    client.on('end', () => {
      this.#lost();
      if (!this.#isGivingUp) logins.remove(this);
    });
    logins.add(this);
  }

  get login(): Login<ClientOptions> | undefined {
    return this.#login;
  }

  connecting(): (login: Login<ClientOptions>) => boolean {
    this.#connections += 1;
    const connection = this.#connections;
    return (login) => {
      if (connection !== this.#connections) return false;
      this.#loggingIn = login;
      return true;
    };
  }

  /** AUTH goes to the end of the queue, where it cannot get between the commands of a transaction. */
  authenticate(): void {
    const login = this.#logins.current;
    // A connection that is not ready uses the current login anyway.
    if (!this.#client.isReady || this.#login === login || this.#isAuthenticating || this.#inTransaction)
      return;
    if (this.#isSubscriber()) {
      this.reconnect();
      return;
    }
    this.#isAuthenticating = true;
    const { socketEpoch } = this.#client;
    const words = login.username === undefined ? [login.password] : [login.username, login.password];
    this.#send(['AUTH', ...words]).then(
      () => {
        this.#isAuthenticating = false;
        if (socketEpoch === this.#client.socketEpoch) this.#login = login;
        this.#logins.changed();
        this.authenticate();
      },
      (error: unknown) => {
        this.#isAuthenticating = false;
        const code = refusalOf(error);
        if (code !== undefined) this.#logins.refused(login, refusal(this.#logins.name, code));
        // Other errors say that the server has no passwords.
        else if (socketEpoch === this.#client.socketEpoch) this.#login = login;
        if (login !== this.#logins.current) this.authenticate();
      },
    );
  }

  /** The server closes the connection of a subscriber, and node-redis connects and subscribes again. */
  reconnect(): void {
    // Others authenticate as soon as they can: in the queue, AUTH is behind a blocking command.
    if (this.#client.isReady && this.#isSubscriber()) this.#send(['QUIT']).catch(() => {});
  }

  /** RESP2 accepts no AUTH on a connection that has subscribed. */
  #isSubscriber(): boolean {
    return this.#client.isPubSubActive && this.#client.options.RESP === 2;
  }

  refused(): void {
    const { waitMs } = this.#logins;
    // The limit of a command that the user chose stays.
    if (this.#client.options.commandOptions?.timeout === undefined) {
      this.#queue.setMaintenanceCommandTimeout(waitMs);
    }
    this.#giveUp = setTimeout(() => {
      const { refusal: error } = this.#logins;
      if (error === undefined || this.#rejectConnect === undefined) return;
      this.#isGivingUp = true;
      this.#client.destroy();
      this.#isGivingUp = false;
      this.#rejectConnect(error);
    }, waitMs);
    this.#giveUp.unref();
  }

  accepted(): void {
    clearTimeout(this.#giveUp);
    this.#queue.setMaintenanceCommandTimeout(undefined);
    // The server may have ended the session's rights in the meantime.
    this.#login = undefined;
    this.authenticate();
  }

  #lost(): void {
    this.#connections += 1;
    this.#login = undefined;
    this.#inTransaction = false;
    this.#logins.changed();
  }

  #send(args: readonly string[]): Promise<unknown> {
    return this.#client.sendCommand(args, { [OWN]: true, timeout: undefined, abortSignal: undefined });
  }

  /**
   * node-redis writes the whole queue together with its handshake. If the server refuses the login, it would run those
   * commands as its default user.
   */
  #holdUntilReady(): void {
    const queue = this.#queue;
    const { commandsToWrite, resubscribe, monitor } = queue;
    const counting = <T>(add: () => T): T => {
      const before = queue.pendingCount;
      const added = add();
      this.#handshake += queue.pendingCount - before;
      return added;
    };
    // The first step of each handshake.
    queue.resubscribe = (chainId) => {
      this.#handshake = 0;
      return counting(() => resubscribe.call(queue, chainId));
    };
    queue.monitor = (callback, options) => {
      const add = () => monitor.call(queue, callback, options);
      return options?.chainId?.description === HANDSHAKE ? counting(add) : add();
    };
    const followed = this;
    queue.commandsToWrite = function* () {
      const commands = commandsToWrite.call(queue);
      if (followed.#client.isReady) return yield* commands;
      for (; followed.#handshake > 0; followed.#handshake -= 1) {
        const { value, done } = commands.next();
        if (done) return;
        yield value;
      }
      // Without another `next`, which would take a command off the queue.
      commands.return();
    };
  }

  #interceptCommands(): void {
    const queue = this.#queue;
    const { addCommand } = queue;
    queue.addCommand = (args, options) => {
      const added = addCommand.call(queue, args, options);
      if (options?.chainId !== undefined) {
        if (options.chainId.description === HANDSHAKE) this.#observeHandshake(args, added);
        return added;
      }
      if (options !== undefined && OWN in options) return added;
      const [word] = args;
      const name = typeof word === 'string' ? word.toUpperCase() : '';
      if (name === 'MULTI') this.#inTransaction = true;
      const history = historyOf(options) ?? { since: performance.now(), breaks: 0 };
      const result = added.catch(async (error: unknown) => {
        const next = await this.#afterFailure(error, name, history);
        return this.#client.sendCommand(args, { ...options, [HISTORY]: next });
      });
      if (name === 'EXEC' || name === 'DISCARD') {
        this.#inTransaction = false;
        this.authenticate();
      }
      return result;
    };
  }

  #observeHandshake(args: readonly unknown[], added: Promise<unknown>): void {
    this.#handshake += 1;
    const login = this.#loggingIn;
    if (args[0] !== 'HELLO' && args[0] !== 'AUTH') return;
    added.catch((error: unknown) => {
      const code = refusalOf(error);
      if (code !== undefined && login !== undefined) {
        this.#logins.refused(login, refusal(this.#logins.name, code));
      }
    });
  }

  /** Returns when a command may be sent again: the server did not run it, or its connection broke. Throws `error` otherwise. */
  async #afterFailure(error: unknown, name: string, { since, breaks }: History): Promise<History> {
    if (!this.#client.isOpen) throw error;
    const logins = this.#logins;
    if (isTimeout(error)) throw logins.refusal ?? error;
    if (isBroken(error)) {
      const mayRunTwice = this.#resend === 'all' || (this.#resend === 'reads' && READS.has(name));
      if (!mayRunTwice || breaks === MAX_BREAKS) throw error;
      return { since, breaks: breaks + 1 };
    }
    const leftMs = logins.waitMs - (performance.now() - since);
    if (this.#inTransaction || name === 'EXEC' || leftMs <= 0) throw error;
    if (isLoading(error)) {
      await new Promise((resolve) => setTimeout(resolve, LOADING_PAUSE_MS));
      return { since, breaks };
    }
    if (refusalOf(error) === undefined) throw error;
    const login = logins.current;
    // A connection with an older login is about to authenticate, before the command.
    if (this.#login !== login && logins.refusal === undefined) return { since, breaks };
    const refused = logins.refusal ?? (await logins.test());
    // The user may log in, but not run this command.
    if (refused === undefined && login === logins.current) throw error;
    if (refused !== undefined) logins.refused(login, refused);
    await logins.accepted(leftMs);
    return { since, breaks };
  }

  /** `connect()` of node-redis never settles while the server refuses the login. */
  #limitConnect(): void {
    const client = this.#client;
    const { connect } = client;
    const followed = this;
    client.connect = function (this: ClientInternals) {
      if (followed.#logins.stopped) return Promise.reject(followed.#logins.closed());
      return new Promise((resolve, reject) => {
        followed.#rejectConnect = reject;
        const settled = () => {
          followed.#rejectConnect = undefined;
        };
        connect.call(this).then(resolve, reject).finally(settled);
      });
    };
  }
}

function historyOf(options: CommandOptions | undefined): History | undefined {
  return (options as { readonly [HISTORY]?: History } | undefined)?.[HISTORY];
}

/** The connection ended before the reply came. The classes of node-redis have other names in a bundle. */
function isBroken(error: unknown): boolean {
  return messageOf(error) === 'Socket closed unexpectedly' || BROKEN.has(errorCode(error) ?? '');
}

const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/** A server that has just started reads its data, and runs no command meanwhile. ioredis waits by itself. */
function isLoading(error: unknown): boolean {
  return messageOf(error).startsWith('LOADING');
}

/** A command waited too long for its connection. The ordinary error of node-redis has no message. */
function isTimeout(error: unknown): boolean {
  return /^(Command timeout during maintenance|$)/.test(messageOf(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'not an error';
}
