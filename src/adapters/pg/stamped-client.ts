import type { Client } from 'pg';
import type { PgModule } from './pg-internals';
import type { Credential } from './recipe';

/** A connection with the credential that its user, password, host and TLS came from, together. */
export interface StampedClient extends Client {
  readonly credentialId: number;
  /** True from the start of its login to the end of it. */
  readonly loggingIn: boolean;
  /** True while it holds a LISTEN: such a client is checked out for good, and never drains by itself. */
  readonly listening: boolean;
}

/** What the pool wants to know of its connections. */
export interface ClientObserver {
  credential(): Credential;
  opened(client: StampedClient): void;
  /** A login starts; what it returns is called once, when that ended. */
  connecting(client: StampedClient): (error: Error | undefined) => void;
  listening(client: StampedClient): void;
  closed(client: StampedClient): void;
}

type ConnectCallback = (error: Error) => void;

/** The class that the pool makes its clients of: it reads one credential, in its constructor. */
export function stampedClientClass(Base: PgModule['Client'], observer: ClientObserver): PgModule['Client'] {
  class CredentialClient extends Base {
    readonly credentialId: number;
    loggingIn = false;
    listening = false;

    constructor() {
      const { config, id } = observer.credential();
      super(config);
      this.credentialId = id;
      observer.opened(this.#self);
      this.once('end', () => observer.closed(this.#self));
    }

    // pg-pool uses the callback form; it is all that has to be seen here.
    // @ts-expect-error Two overloads in one: their intersection is no return type.
    override connect(callback?: ConnectCallback): undefined {
      const ended = observer.connecting(this.#self);
      this.loggingIn = true;
      const connected = (error?: Error) => {
        this.loggingIn = false;
        ended(error ?? undefined);
        callback?.(error as Error);
      };
      try {
        super.connect(connected);
      } catch (error) {
        // An impossible port, for example: thrown out of the pool, it would keep its place there for ever.
        observer.closed(this.#self);
        process.nextTick(connected, error);
      }
    }

    // biome-ignore lint/suspicious/noExplicitAny: pg declares nine overloads of query; this passes all of them on.
    override query(...args: any[]): any {
      const text: unknown =
        typeof args[0] === 'string' ? args[0] : (args[0] as { text?: unknown } | null)?.text;
      if (typeof text === 'string') this.#noteListen(text);
      return (super.query as (...all: unknown[]) => unknown).apply(this, args);
    }

    get #self(): StampedClient {
      return this as unknown as StampedClient;
    }

    #noteListen(text: string): void {
      if (/^\s*listen\s/i.test(text)) this.listening = true;
      else if (/^\s*unlisten\s+\*/i.test(text)) this.listening = false;
      else return;
      observer.listening(this.#self);
    }
  }
  return CredentialClient as unknown as PgModule['Client'];
}
