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

  /** Holds a connection until it closes. */
  add(socket: Duplex): void {
    if (socket.closed) return;
    this.#sockets.add(socket);
    socket.once('close', () => this.delete(socket));
  }

  /** Releases a connection that somebody else owns from now on. */
  delete(socket: Duplex): void {
    this.#sockets.delete(socket);
    if (this.#sockets.size === 0) for (const tell of [...this.#whenEmpty]) tell();
  }

  /** Resolves when none is left, or `signal` aborts. */
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

  /** Closes them, in use or not, with the error that their users get. */
  destroy(error?: Error): void {
    for (const socket of [...this.#sockets]) socket.destroy(error);
  }
}
