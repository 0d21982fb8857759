import { type Login, refusalOf } from './login';
import type { Logins, Session } from './logins';
import type { ClientOptions } from './node-redis';

/** What node-redis expects as `credentialsProvider`. */
export interface StreamingProvider {
  readonly type: 'streaming-credentials-provider';
  subscribe(listener: Listener): Promise<[BasicCredentials, { dispose(): void }]>;
  onReAuthenticationError(error: Error): void;
}

interface BasicCredentials {
  readonly username?: string;
  readonly password?: string;
}

interface Listener {
  readonly onNext: (credentials: BasicCredentials) => void;
  readonly onError: (error: Error) => void;
}

type RedisLogins = Logins<never, ClientOptions>;

/**
 * A connection waits at most so long for a credential that the server accepts. Then node-redis tries again, as the socket of
 * a longer wait may have closed.
 */
const HOLD_MS = 1_000;
const FOLLOWED_HOLD_MS = 5_000;

/**
 * The provider of a followed client, which does everything else by itself. `start` is called for each connection, and returns
 * a function that is called with its login. That returns false if the connection has ended in the meantime.
 */
export function followedProvider(
  logins: RedisLogins,
  start: () => (login: Login<ClientOptions>) => boolean,
): StreamingProvider {
  return {
    type: 'streaming-credentials-provider',
    async subscribe() {
      const loggingIn = start();
      await logins.accepted(FOLLOWED_HOLD_MS);
      // node-redis would send the login on another connection.
      if (!loggingIn(logins.current)) throw new Error('The connection has ended.');
      return [credentialsOf(logins.current), { dispose() {} }];
    },
    onReAuthenticationError() {},
  };
}

/**
 * A provider for clients that nothing is known of. It tests each login before node-redis uses it, because node-redis sends
 * commands together with the login, and a server whose default user is on would run them although it refuses the login.
 */
export function openProvider(logins: RedisLogins): StreamingProvider {
  return {
    type: 'streaming-credentials-provider',
    async subscribe(listener) {
      if (logins.refusal === undefined) {
        const login = logins.current;
        const refusal = await logins.test(HOLD_MS);
        if (refusal !== undefined) logins.refused(login, refusal);
      }
      await logins.accepted(HOLD_MS);
      const disposable = new Subscription(logins, listener);
      return [credentialsOf(logins.current), disposable];
    },
    onReAuthenticationError(error) {
      if (refusalOf(error) === undefined) return;
      const login = logins.current;
      void logins.test().then((refusal) => refusal && logins.refused(login, refusal));
    },
  };
}

/**
 * A subscription of one connection. node-redis keeps it, but forgets it without `dispose` when it connects again. So the
 * logins only have a weak reference to it.
 */
class Subscription {
  readonly #listener: Listener;
  readonly #logins: RedisLogins;
  readonly #session: Session<ClientOptions>;
  login: Login<ClientOptions>;

  constructor(logins: RedisLogins, listener: Listener) {
    this.#logins = logins;
    this.#listener = listener;
    this.login = logins.current;
    const weak = new WeakRef<Subscription>(this);
    const authenticate = () => {
      const subscription = weak.deref();
      if (subscription === undefined) return logins.remove(session);
      subscription.#authenticate();
    };
    const session: Session<ClientOptions> = {
      get login() {
        return weak.deref()?.login;
      },
      authenticate,
      accepted: authenticate,
      refused() {},
      reconnect() {},
    };
    this.#session = session;
    logins.add(session);
  }

  dispose(): void {
    this.#logins.remove(this.#session);
  }

  #authenticate(): void {
    this.login = this.#logins.current;
    this.#listener.onNext(credentialsOf(this.login));
    this.#logins.changed();
  }
}

function credentialsOf({ username, password }: Login<ClientOptions>): BasicCredentials {
  return username === undefined ? { password } : { username, password };
}
