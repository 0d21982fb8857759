import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server } from 'node:tls';
import { askToLeave, type Connection, isStale } from './connection';
import type { ConnectionWatch } from './connection-watch';

/** Notes which requests run on the connections of a server, and asks a stale one to close with its next request. */
export class HttpWatch {
  readonly #server: Server;
  readonly #connections: ConnectionWatch;

  constructor(server: Server, connections: ConnectionWatch) {
    this.#server = server;
    this.#connections = connections;
    server.on('session', this.#sessionBegan);
    // An HTTP/2 server without a listener for requests does not make any; one of ours must not change that.
    if (server.listenerCount('request') > 0) server.prependListener('request', this.#requested);
    else server.on('newListener', this.#listenerAdded);
  }

  stop(): void {
    this.#server.off('session', this.#sessionBegan);
    this.#server.off('newListener', this.#listenerAdded);
    this.#server.off('request', this.#requested);
  }

  /** Comes within the event of the secure connection that it runs on. */
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
