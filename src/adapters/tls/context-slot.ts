import { unrefTimer } from '../../internal/time';
import { askToLeave, type Connection, closeByForce, closeIfIdle } from './connection';
import type { ServedContext } from './served-context';

/** Counts swaps: what came before what. Not a clock: tests of users stop the clock. */
export interface SwapCount {
  swaps: number;
}

/**
 * A place that a context is served from: a server's default, or one name. It knows the connections that got what it
 * serves, and which of them are stale.
 */
export class ContextSlot {
  /** Whether, and how soon, stale connections have to go, in ms. Without it they live on. */
  readonly drainTimeoutMs: number | undefined;
  readonly #count: SwapCount;
  readonly #open = new Set<Connection>();
  /** What is on its way out: who is left of those that got it, and whom to tell when nobody is. */
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

  /** From now on nobody gets what it serves. Returns the number of this swap. */
  end(): number {
    this.#current.until = this.#next();
    return this.#current.until;
  }

  /** True when a connection that came after so many swaps got something that is served no more. */
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
   * Settles when those that got `served` are gone, and asks them to leave, where they have to. At once for what serves,
   * or never did.
   */
  drain(served: ServedContext): Promise<void> {
    const left = new Set(this.#whoGot(served));
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

  /** Closes those that its drain waits for. */
  async force(served: ServedContext): Promise<void> {
    await Promise.all([...(this.#drains.get(served)?.left ?? [])].map(closeByForce));
  }

  /** Leaves all connections alone, and lets nobody wait for them. */
  stop(): void {
    for (const { done } of this.#drains.values()) done();
    this.#drains.clear();
  }

  #next(): number {
    this.#count.swaps += 1;
    return this.#count.swaps;
  }

  #whoGot({ from, until }: ServedContext): Connection[] {
    if (until === Number.POSITIVE_INFINITY) return [];
    return [...this.#open].filter(({ acceptedAt }) => from <= acceptedAt && acceptedAt < until);
  }
}
