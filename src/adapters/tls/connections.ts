import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { unrefTimer } from '../../internal/time';
import {
  askToLeave,
  type Connection,
  type ContextSlot,
  closeByForce,
  isStale,
  type SwapCount,
} from './context-slot';
import { resumedProblem } from './session-context';

/** Returns the slot that served a connection which arrived after `acceptedAt` swaps. `host` is the requested name, or `''`. */
type SlotOf = (host: string, acceptedAt: number) => ContextSlot;

interface Watched extends Connection {
  /** Cancels the connection's own deadline, if it has one. */
  cancel: () => void;
}

/**
 * Follows the connections of a server from the moment they arrive. Node fixes the default context of a connection then,
 * however long the handshake takes. It fixes the context of a name during the handshake, but that counts from arrival too: a false
 * "stale" costs one reconnect, and a false "fresh" would let the connection stay.
 */
export class ConnectionWatch {
  readonly #server: Server;
  readonly #count: SwapCount;
  readonly #slotOf: SlotOf;
  readonly #resumes: () => boolean;
  readonly #open = new Map<TLSSocket, Watched>();
  /** The number of swaps before each connection arrived, by the connection's addresses. */
  readonly #arrivals = new Map<string, number>();
  #newest: Watched | undefined;

  /** `resumes` tells whether the client certificate of a resumed session counts. */
  constructor(server: Server, count: SwapCount, slotOf: SlotOf, resumes: () => boolean) {
    this.#server = server;
    this.#resumes = resumes;
    this.#count = count;
    this.#slotOf = slotOf;
    server.on('connection', this.#accepted);
    // Registered first, so that the connection is known before HTTP begins on it.
    server.prependListener('secureConnection', this.#secured);
  }

  get staleCount(): number {
    return [...this.#open.values()].filter(isStale).length;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The connection whose handshake ended last. */
  get newest(): Connection | undefined {
    return this.#newest;
  }

  of(socket: unknown): Connection | undefined {
    return this.#open.get(socket as TLSSocket);
  }

  /** Forgets all connections without touching them. */
  stop(): void {
    this.#server.off('connection', this.#accepted);
    this.#server.off('secureConnection', this.#secured);
    this.#arrivals.clear();
    for (const connection of this.#open.values()) this.#forget(connection);
  }

  readonly #accepted = (raw: Socket) => {
    const addresses = addressesOf(raw);
    if (addresses === undefined) return;
    this.#arrivals.set(addresses, this.#count.swaps);
    raw.once('close', () => this.#arrivals.delete(addresses));
  };

  readonly #secured = (socket: TLSSocket) => {
    this.#judgeResumed(socket);
    const addresses = addressesOf(socket) ?? '';
    const { servername } = socket as { servername?: string | false | null };
    // Unix sockets have no addresses, so they count from the end of their handshake.
    const acceptedAt = this.#arrivals.get(addresses) ?? this.#count.swaps;
    const connection: Watched = {
      socket,
      slot: this.#slotOf(servername || '', acceptedAt),
      acceptedAt,
      response: undefined,
      session: undefined,
      streams: 0,
      cancel: () => {},
    };
    const { drainTimeoutMs } = connection.slot;
    if (isStale(connection) && drainTimeoutMs !== undefined) {
      // The drain of its context began before this connection was known.
      connection.cancel = unrefTimer(drainTimeoutMs, () => void closeByForce(connection));
    }
    this.#open.set(socket, connection);
    this.#newest = connection;
    connection.slot.opened(connection);
    socket.once('close', () => this.#forget(connection));
  };

  /** Does what Node does to a connection whose client certificate is not trusted. */
  #judgeResumed(socket: TLSSocket): void {
    const { requestCert, rejectUnauthorized } = this.#server as Server & {
      readonly requestCert?: boolean;
      readonly rejectUnauthorized?: boolean;
    };
    if (requestCert === false || !socket.authorized || !socket.isSessionReused()) return;
    const problem = this.#resumes() ? resumedProblem(socket) : 'UNABLE_TO_VERIFY_LEAF_SIGNATURE';
    if (problem === undefined) return;
    Object.assign(socket, { authorized: false, authorizationError: problem });
    if (rejectUnauthorized !== false) socket.destroy();
  }

  #forget(connection: Watched): void {
    connection.cancel();
    this.#open.delete(connection.socket);
    if (this.#newest === connection) this.#newest = undefined;
    connection.slot.closed(connection);
  }
}

/** Records which requests run on the connections of a server, and asks a stale connection to close with its next request. */
export class HttpWatch {
  readonly #server: Server;
  readonly #connections: ConnectionWatch;

  constructor(server: Server, connections: ConnectionWatch) {
    this.#server = server;
    this.#connections = connections;
    server.on('session', this.#sessionBegan);
    // An HTTP/2 server without a request listener creates no request objects, and our listener must not change that.
    if (server.listenerCount('request') > 0) server.prependListener('request', this.#requested);
    else server.on('newListener', this.#listenerAdded);
  }

  stop(): void {
    this.#server.off('session', this.#sessionBegan);
    this.#server.off('newListener', this.#listenerAdded);
    this.#server.off('request', this.#requested);
  }

  /** Node emits it during the event of the secure connection that it runs on. */
  readonly #sessionBegan = (session: ServerHttp2Session) => {
    const connection = this.#connections.newest;
    if (connection === undefined) return;
    connection.session = session;
    session.on('stream', (stream: ServerHttp2Stream) => {
      connection.streams += 1;
      stream.once('close', () => {
        connection.streams -= 1;
      });
      this.#began(connection);
    });
  };

  readonly #requested = ({ socket, httpVersionMajor }: IncomingMessage, response: ServerResponse) => {
    const connection = httpVersionMajor < 2 ? this.#connections.of(socket) : undefined;
    if (connection === undefined) return;
    connection.response = response;
    response.once('close', () => {
      if (connection.response === response) connection.response = undefined;
    });
    this.#began(connection);
  };

  readonly #listenerAdded = (event: string | symbol) => {
    if (event !== 'request') return;
    this.#server.off('newListener', this.#listenerAdded);
    this.#server.prependListener('request', this.#requested);
  };

  #began(connection: Connection): void {
    const followed = this.#connections.of(connection.socket) !== undefined;
    if (followed && connection.slot.drainTimeoutMs !== undefined && isStale(connection))
      askToLeave(connection);
  }
}

function addressesOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  if (remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
