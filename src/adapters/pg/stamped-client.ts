import type { Client } from 'pg';
import type { Events } from '../../internal/events';
import { type Credential, hidePassword } from './credential';
import type { PgModule } from './pg-internals';

/** A connection that knows the one credential that its user, password, host and TLS came from, or the one that it is kept for. */
export interface StampedClient extends Client {
  credentialId: number;
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
    credentialId: number;
    loggingIn = false;
    listening = false;
    readonly #channels = new Set<string>();

    constructor() {
      const { config, id } = currentCredential();
      super(config);
      hidePassword(this);
      hidePassword((this as { connectionParameters?: object }).connectionParameters);
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

    /** The server names each command that it ran, so a LISTEN is recognized wherever it stands in the text of a query. */
    _handleCommandComplete(message: { readonly text: string }): void {
      // Every query runs this, so it does not listen to the connection: an event with two listeners costs more.
      if (LISTENING.has(message.text)) this.#noteListening(message.text);
      (Base.prototype as ClientInternals)._handleCommandComplete?.call(this, message);
    }

    get #self(): StampedClient {
      return this as unknown as StampedClient;
    }

    #noteListening(tag: string): void {
      if (tag === 'DISCARD ALL') this.#channels.clear();
      else
        for (const [, end, channel = ''] of statements(queryOf(this))) {
          if (end === undefined) this.#channels.add(channel);
          else if (channel === '*') this.#channels.clear();
          else this.#channels.delete(channel);
        }
      this.listening = this.#channels.size > 0;
      events.emit('listening', this.#self);
    }
  }
  return CredentialClient as unknown as PgModule['Client'];
}

interface ClientInternals {
  _handleCommandComplete?(message: { readonly text: string }): void;
  _getActiveQuery?(): { readonly text?: unknown } | null;
  readonly activeQuery?: { readonly text?: unknown } | null;
}

/** The text of the query that the client runs. pg 8.16 deprecated `activeQuery`. */
function queryOf(client: object): string {
  const { _getActiveQuery } = client as ClientInternals;
  const query =
    _getActiveQuery === undefined ? (client as ClientInternals).activeQuery : _getActiveQuery.call(client);
  return typeof query?.text === 'string' ? query.text : '';
}

/** The commands after which a client may begin or stop listening. */
const LISTENING = new Set(['LISTEN', 'UNLISTEN', 'DISCARD ALL']);

const COMMENT_OR_STRING = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g;
const LISTEN = /\b(un)?listen\s+(\*|"(?:[^"]|"")*"|[\w$\u0080-\uffff]+)/gi;

/** Finds each LISTEN and UNLISTEN of a text: `[whole, 'un' or undefined, channel]`. */
function statements(text: string): IterableIterator<RegExpMatchArray> {
  return text.replace(COMMENT_OR_STRING, ' ').matchAll(LISTEN);
}
