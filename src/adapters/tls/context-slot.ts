import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { unrefTimer } from '../../internal/time';
import type { Recipe } from '../../rotation/recipe';
import { assertAsComplete, checkedContext, withoutPfx } from './secure-context';

// The time that the peer gets to answer the end of a connection.
const LINGER_MS = 1_000;

/**
 * Turns a snapshot into what a server presents: certificate, key, `ca`. Synchronous; the server follows
 * the secrets that it reads.
 */
export type ContextRecipe<V> = Recipe<V, SecureContextOptions>;

/** Checked options, and the swaps between which new connections got them: at or after `from`, before `until`. */
export interface ServedContext {
  readonly options: SecureContextOptions;
  /** The context of the options; `undefined` if the server makes its own. */
  readonly context: SecureContext | undefined;
  from: number;
  until: number;
}

/** A connection of a server, and the requests that run on it. */
export interface Connection {
  readonly socket: TLSSocket;
  /** The slot that its context came from. */
  readonly slot: ContextSlot;
  /** The number of swaps before it arrived. */
  readonly acceptedAt: number;
  /** HTTP/1: the current response. */
  response: ServerResponse | undefined;
  /** HTTP/2: the session. */
  session: ServerHttp2Session | undefined;
  /** Open streams of the session. */
  streams: number;
}

/** Counts swaps to order events. A clock would not do, because tests of users stop the clock. */
export interface SwapCount {
  swaps: number;
}

interface ServeOptions {
  /** Options that apply unless the recipe returns them. */
  readonly inherited?: SecureContextOptions;
  /** The options in use, whose chain the new one must not fall short of. */
  readonly before?: SecureContextOptions | undefined;
}

/**
 * Checks what a recipe returned. `make` must succeed with the result.
 * @throws `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_CHAIN_INCOMPLETE`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function serveContext(
  name: string,
  returned: SecureContextOptions,
  { inherited = {}, before }: ServeOptions = {},
  make: (options: SecureContextOptions) => SecureContext | undefined = createSecureContext,
): ServedContext {
  const named = Object.entries(returned).filter(([, value]) => value !== undefined);
  const options = withoutPfx(name, { ...inherited, ...Object.fromEntries(named) } as SecureContextOptions);
  if (before !== undefined) assertAsComplete(name, options, before);
  const context = checkedContext(name, options, 'required', make);
  return { options, context, from: 0, until: Number.POSITIVE_INFINITY };
}

/**
 * The place of a context: the server's default, or one name. It knows the connections that got a context
 * from it, and which of them are stale.
 */
export class ContextSlot {
  /** The time limit for stale connections, in ms. `undefined`: they stay open. */
  readonly drainTimeoutMs: number | undefined;
  readonly #count: SwapCount;
  readonly #open = new Set<Connection>();
  /** Contexts that drain, each with its remaining connections and the function to call when none remains. */
  readonly #drains = new Map<ServedContext, { readonly left: Set<Connection>; readonly done: () => void }>();
  #current: ServedContext;

  constructor(count: SwapCount, first: ServedContext, drainTimeoutMs: number | undefined) {
    this.#count = count;
    this.#current = first;
    this.drainTimeoutMs = drainTimeoutMs;
    first.from = this.#next();
  }

  get current(): ServedContext {
    return this.#current;
  }

  swap(next: ServedContext): void {
    next.from = this.end();
    this.#current = next;
  }

  /** Stops giving the current context to new connections. Returns the number of this swap. */
  end(): number {
    this.#current.until = this.#next();
    return this.#current.until;
  }

  /** Tells whether a connection that arrived after `acceptedAt` swaps got a replaced context. */
  isStale(acceptedAt: number): boolean {
    return acceptedAt < this.#current.from || this.#current.until < Number.POSITIVE_INFINITY;
  }

  opened(connection: Connection): void {
    this.#open.add(connection);
  }

  closed(connection: Connection): void {
    this.#open.delete(connection);
    for (const [served, { left, done }] of this.#drains) {
      left.delete(connection);
      if (left.size > 0) continue;
      this.#drains.delete(served);
      done();
    }
  }

  /**
   * Settles when the connections that got `served` are gone, and asks them to close if there is a time limit. Settles at once for a
   * context that serves or never served.
   */
  drain(served: ServedContext): Promise<void> {
    const left = new Set(this.#connectionsOf(served));
    if (left.size === 0) return Promise.resolve();
    if (this.drainTimeoutMs === undefined) {
      return new Promise((done) => this.#drains.set(served, { left, done }));
    }
    for (const connection of left) askToLeave(connection);
    const cancel = unrefTimer(this.drainTimeoutMs / 2, () => {
      for (const connection of left) closeIfIdle(connection);
    });
    return new Promise<void>((done) => this.#drains.set(served, { left, done })).finally(cancel);
  }

  /** Closes the connections that the drain waits for. */
  async force(served: ServedContext): Promise<void> {
    await Promise.all([...(this.#drains.get(served)?.left ?? [])].map(closeByForce));
  }

  /** Ends every wait, and leaves the connections open. */
  stop(): void {
    for (const { done } of this.#drains.values()) done();
    this.#drains.clear();
  }

  #next(): number {
    this.#count.swaps += 1;
    return this.#count.swaps;
  }

  #connectionsOf({ from, until }: ServedContext): Connection[] {
    if (until === Number.POSITIVE_INFINITY) return [];
    return [...this.#open].filter(({ acceptedAt }) => from <= acceptedAt && acceptedAt < until);
  }
}

/** Tells whether a connection has another context than its slot serves now. */
export function isStale({ slot, acceptedAt }: Connection): boolean {
  return slot.isStale(acceptedAt);
}

/**
 * Asks a connection to close once its requests are finished. An idle one stays until its next request, because closing it
 * now would break a request that the client is just sending. A connection without HTTP can only be closed by force.
 */
export function askToLeave({ response, session, streams }: Connection): void {
  // Sends a GOAWAY. After the advance notice of RFC 9113 (6.8), clients of Node 20, 22 and 26 lose requests for good.
  if (session !== undefined && streams > 0) session.close();
  if (response !== undefined && !response.headersSent) response.setHeader('Connection', 'close');
}

/** Closes an HTTP/2 connection without streams. A request that crosses it is refused as not started. */
function closeIfIdle({ session, streams }: Connection): void {
  if (session !== undefined && streams === 0) session.close();
}

/** Closes a connection, even in the middle of a request. Never rejects. */
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
