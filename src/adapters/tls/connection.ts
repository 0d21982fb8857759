import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { unrefTimer } from '../../internal/time';
import type { ContextSlot } from './context-slot';

// What the other side may take to answer the end of a connection.
const LINGER_MS = 1_000;

/** One connection of a server, and what runs on it. */
export interface Connection {
  readonly socket: TLSSocket;
  /** Where its context came from. */
  readonly slot: ContextSlot;
  /** How many swaps there had been when it came. */
  readonly acceptedAt: number;
  /** HTTP/1: the answer that is under way. */
  response: ServerResponse | undefined;
  /** HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** Open streams of the session. */
  streams: number;
}

/** True when it got something else than what its slot serves now. */
export function isStale({ slot, acceptedAt }: Connection): boolean {
  return slot.isStale(acceptedAt);
}

/**
 * Asks a connection to close once what runs on it is finished. One that is idle is left alone until its next request:
 * closed now, it would take down the request that its client is just sending. One that speaks no HTTP has to be forced.
 */
export function askToLeave({ response, session, streams }: Connection): void {
  // A GOAWAY. Not the advance notice of RFC 9113 (6.8): after it, clients of Node 20, 22 and 26 lose requests for good.
  if (session !== undefined && streams > 0) session.close();
  if (response !== undefined && !response.headersSent) response.setHeader('Connection', 'close');
}

/** Closes one of HTTP/2 on which nothing runs. A request that crosses this is refused as one that was not begun. */
export function closeIfIdle({ session, streams }: Connection): void {
  if (session !== undefined && streams === 0) session.close();
}

/** Closes a connection, whatever runs on it. Never rejects. */
export function closeByForce({ socket, response, session }: Connection): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const cancel = unrefTimer(LINGER_MS, () => socket.destroy());
    socket.once('close', () => {
      cancel();
      resolve();
    });
    if (session !== undefined) session.destroy();
    else if (response !== undefined) socket.destroy();
    else socket.end();
  });
}
