import type { Duplex } from 'node:stream';

/** The open connections of one generation. */
export class OpenSockets {
  readonly #sockets = new Set<Duplex>();
  readonly #whenEmpty = new Set<() => void>();

  get size(): number {
    return this.#sockets.size;
  }

  has(socket: Duplex): boolean {
    return this.#sockets.has(socket);
  }

  /** Tracks a connection until it closes. */
  add(socket: Duplex): void {
    if (socket.closed) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.delete(socket));
  }

  /** Stops tracking a connection that has a new owner. */
  delete(socket: Duplex): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) for (const tell of [...this.#whenEmpty]) tell();
  }

  /** Resolves when all connections are closed, or `signal` aborts. */
  empty(signal: AbortSignal): Promise<void> {
    if (this.#sockets.size === 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#whenEmpty.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#whenEmpty.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Closes all connections, in use or not. Their users receive `error`. */
  destroy(error?: Error): void {
    for (const socket of [...this.#sockets]) socket.destroy(error);
  }
}
