import type { Client } from 'pg';
import type { Events } from '../../internal/events';
import type { Credential } from './credential';
import type { PgModule } from './pg-internals';

/** A connection that knows the one credential that its user, password, host and TLS came from. */
export interface StampedClient extends Client {
  readonly credentialId: number;
  /** True during its login. */
  readonly loggingIn: boolean;
  /** True while it holds a LISTEN. Such a client stays checked out and never drains by itself. */
  readonly listening: boolean;
}

/** The events of a pool's clients. Listeners run synchronously. */
export interface ClientEvents {
  opened: StampedClient;
  loginStarted: StampedClient;
  /** Emitted once per login, before the caller hears of it. */
  loginEnded: { readonly client: StampedClient; readonly error: Error | undefined };
  /** It began or stopped listening. */
  listening: StampedClient;
  closed: StampedClient;
}

type ConnectCallback = (error: Error) => void;

/** Makes the class of the pool's clients. Each client reads one credential in its constructor. */
export function stampedClientClass(
  Base: PgModule['Client'],
  currentCredential: () => Credential,
  events: Events<ClientEvents>,
): PgModule['Client'] {
  class CredentialClient extends Base {
    readonly credentialId: number;
    loggingIn = false;
    listening = false;

    constructor() {
      const { config, id } = currentCredential();
      super(config);
      this.credentialId = id;
      events.emit('opened', this.#self);
      this.once('end', () => events.emit('closed', this.#self));
    }

    // pg-pool uses only the callback form.
    // @ts-expect-error This implements two overloads, and TypeScript wants the intersection of their return types.
    override connect(callback?: ConnectCallback): undefined {
      events.emit('loginStarted', this.#self);
      this.loggingIn = true;
      const connected = (error?: Error) => {
        this.loggingIn = false;
        events.emit('loginEnded', { client: this.#self, error: error ?? undefined });
        callback?.(error as Error);
      };
      try {
        super.connect(connected);
      } catch (error) {
        // For example an impossible port. If this threw, the client would keep its place in the pool forever.
        events.emit('closed', this.#self);
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
      events.emit('listening', this.#self);
    }
  }
  return CredentialClient as unknown as PgModule['Client'];
}
