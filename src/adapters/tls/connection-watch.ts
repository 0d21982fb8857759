import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { unrefTimer } from '../../internal/time';
import { type Connection, closeByForce, isStale } from './connection';
import type { ContextSlot, SwapCount } from './context-slot';

/** Where a connection that came after so many swaps got its context. `host`: whom its client asked for, or `''`. */
type SlotOf = (host: string, acceptedAt: number) => ContextSlot;

interface Watched extends Connection {
  /** Ends the deadline of its own, if it has one. */
  cancel: () => void;
}

/**
 * Follows the connections of a server from the moment they come. Node fixes the default context of one then, however
 * long its handshake takes. That of a name is fixed within the handshake, but counts from then too: who is taken for
 * stale is renewed once too often, who is taken for fresh would stay.
 */
export class ConnectionWatch {
  readonly #server: Server;
  readonly #count: SwapCount;
  readonly #slotOf: SlotOf;
  readonly #open = new Map<TLSSocket, Watched>();
  /** How many swaps there had been when a connection came, by its addresses. */
  readonly #arrivals = new Map<string, number>();
  #newest: Watched | undefined;

  constructor(server: Server, count: SwapCount, slotOf: SlotOf) {
    this.#server = server;
    this.#count = count;
    this.#slotOf = slotOf;
    server.on('connection', this.#accepted);
    // First, so that it is known before HTTP begins on it.
    server.prependListener('secureConnection', this.#secured);
  }

  get staleCount(): number {
    return [...this.#open.values()].filter(isStale).length;
  }

  get openCount(): number {
    return this.#open.size;
  }

  /** The connection whose handshake was the last to end. */
  get newest(): Connection | undefined {
    return this.#newest;
  }

  of(socket: unknown): Connection | undefined {
    return this.#open.get(socket as TLSSocket);
  }

  /** Lets go of all connections, and leaves them as they are. */
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
    const addresses = addressesOf(socket) ?? '';
    const { servername } = socket as { servername?: string | false | null };
    // Unix sockets have no addresses: they count from the end of their handshake.
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
      // The drain of what it got began without it.
      connection.cancel = unrefTimer(drainTimeoutMs, () => void closeByForce(connection));
    }
    this.#open.set(socket, connection);
    this.#newest = connection;
    connection.slot.opened(connection);
    socket.once('close', () => this.#forget(connection));
  };

  #forget(connection: Watched): void {
    connection.cancel();
    this.#open.delete(connection.socket);
    if (this.#newest === connection) this.#newest = undefined;
    connection.slot.closed(connection);
  }
}

function addressesOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  if (remotePort === undefined) return undefined;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
