import type { Client } from 'pg';
import { unrefTimer } from '../../internal/time';
import type { PoolInternals } from './pg-internals';

/**
 * Retires connections one by one over a span of time, with jitter. If all of them reconnected in the same instant, it would
 * show in the latency of this process and in the load of a shared server. Idle connections close
 * in their turn, busy ones when they are released after it.
 */
export class PacedRetirement {
  readonly #pool: PoolInternals;
  readonly #isStale: (client: Client) => boolean;
  readonly #overMs: number;
  readonly #taken = new WeakSet<Client>();
  #cancel: (() => void) | undefined;

  constructor(pool: PoolInternals, overMs: number, isStale: (client: Client) => boolean) {
    this.#pool = pool;
    this.#overMs = overMs;
    this.#isStale = isStale;
  }

  /** Starts, or continues with connections that became stale meanwhile. */
  start(): void {
    this.stop();
    const count = this.#pool._clients.filter((client) => this.#isStale(client)).length;
    if (count > 0) this.#next(this.#overMs / count);
  }

  stop(): void {
    this.#cancel?.();
  }

  #next(stepMs: number): void {
    this.#cancel = unrefTimer(stepMs * (0.5 + Math.random()), () => {
      if (this.#retireOne()) this.#next(stepMs);
    });
  }

  #retireOne(): boolean {
    const idle = this.#pool._idle.find(({ client }) => this.#isStale(client))?.client;
    if (idle !== undefined) {
      this.#pool._remove(idle);
      this.#pool._pulseQueue();
      return true;
    }
    const busy = this.#pool._clients.find((client) => this.#isStale(client) && !this.#taken.has(client));
    if (busy === undefined) return false;
    this.#taken.add(busy);
    this.#pool._expired.add(busy);
    return true;
  }
}
