import type { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { unrefTimer } from '../../internal/time';
import type { Recipe } from '../../rotation/recipe';
import { checkedContext } from './secure-context';

// How long the other side may take to answer the end of a connection.
const LINGER_MS = 1_000;

/**
 * Turns one generation into what a server shows: certificate, key, `ca`. Synchronous; the server depends
 * on the secrets that it reads.
 */
export type ContextRecipe<V> = Recipe<V, SecureContextOptions>;

/** Checked options, and the swaps between which new connections got them: from `from` on, before `until`. */
export interface ServedContext {
  readonly options: SecureContextOptions;
  /** Made of them; `undefined` where the server makes its own. */
  readonly context: SecureContext | undefined;
  from: number;
  until: number;
}

/** One connection of a server, and the requests that run on it. */
export interface Connection {
  readonly socket: TLSSocket;
  /** Where its context came from. */
  readonly slot: ContextSlot;
  /** How many swaps there had been when it came. */
  readonly acceptedAt: number;
  /** HTTP/1: the response that is under way. */
  response: ServerResponse | undefined;
  /** HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** Open streams of the session. */
  streams: number;
}

/** Counts swaps, to order events. Not a clock: tests of users stop the clock. */
export interface SwapCount {
  swaps: number;
}

/**
 * Checks what a recipe returned. `inherited`: options that hold unless the recipe names them. `make` must succeed with
 * them.
 * @throws `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function serveContext(
  name: string,
  returned: SecureContextOptions,
  inherited: SecureContextOptions = {},
  make: (options: SecureContextOptions) => SecureContext | undefined = createSecureContext,
): ServedContext {
  const named = Object.entries(returned).filter(([, value]) => value !== undefined);
  const options = { ...inherited, ...Object.fromEntries(named) } as SecureContextOptions;
  const context = checkedContext(name, options, 'required', make);
  return { options, context, from: 0, until: Number.POSITIVE_INFINITY };
}

/**
 * Where a context is served: by default, or for one name. It knows the connections that got a context
 * from here, and which of them are stale.
 */
export class ContextSlot {
  /** How soon stale connections must be gone, in ms. `undefined`: they stay open. */
  readonly drainTimeoutMs: number | undefined;
  readonly #count: SwapCount;
  readonly #open = new Set<Connection>();
  /** Contexts on their way out: the connections that are left of each, and what to call when none is. */
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

  /** From now on no connection gets the current context. Returns the number of this swap. */
  end(): number {
    this.#current.until = this.#next();
    return this.#current.until;
  }

  /** True when a connection that was accepted after that many swaps got a replaced context. */
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
   * Settles when the connections that got `served` are gone, and asks them to leave where they have to. At once for a
   * context that serves, or never did.
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

  /** Closes the connections that its drain waits for. */
  async force(served: ServedContext): Promise<void> {
    await Promise.all([...(this.#drains.get(served)?.left ?? [])].map(closeByForce));
  }

  /** Leaves all connections alone, and ends every wait for them. */
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

/** True when a connection got another context than its slot serves now. */
export function isStale({ slot, acceptedAt }: Connection): boolean {
  return slot.isStale(acceptedAt);
}

/**
 * Asks a connection to close once its requests are finished. An idle one is left alone until its next request: closing it
 * now would take down the request that its client is just sending. One without HTTP can only be forced.
 */
export function askToLeave({ response, session, streams }: Connection): void {
  // A GOAWAY. Not the advance notice of RFC 9113 (6.8): after it, clients of Node 20, 22 and 26 lose requests for good.
  if (session !== undefined && streams > 0) session.close();
  if (response !== undefined && !response.headersSent) response.setHeader('Connection', 'close');
}

/** Closes an HTTP/2 connection without streams. A request that crosses this is refused as one that never began. */
function closeIfIdle({ session, streams }: Connection): void {
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
