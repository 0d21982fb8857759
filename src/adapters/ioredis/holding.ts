import type { RedisOptions } from 'ioredis';
import type { Logins } from '../redis/logins';
import type { QueuedCommand } from './internals';

interface Held extends QueuedCommand {
  readonly since: number;
}

/** How often to look for commands that have waited for too long. */
export const sweepMs = (waitMs: number) => Math.min(100, Math.max(5, waitMs / 10));

/** Commands that wait until the server accepts a login. While it refuses, each waits for a limited time. */
export class Holding {
  readonly #logins: Pick<Logins<never, RedisOptions>, 'refusal' | 'waitMs'>;
  #held: Held[] = [];
  #sweep: NodeJS.Timeout | undefined;
  #now: number | undefined;

  constructor(logins: Pick<Logins<never, RedisOptions>, 'refusal' | 'waitMs'>) {
    this.#logins = logins;
  }

  get size(): number {
    return this.#held.length;
  }

  add({ command, stream, select }: QueuedCommand): void {
    if (this.#now === undefined) {
      // The commands of a pipeline, which one call sends, fail together.
      this.#now = performance.now();
      void Promise.resolve().then(() => {
        this.#now = undefined;
      });
    }
    this.#held.push({ command, stream, select, since: this.#now });
    if (this.#sweep !== undefined) return;
    // Keeps the process alive while a command waits, as the socket of a connection does.
    this.#sweep = setInterval(() => this.#expire(), sweepMs(this.#logins.waitMs));
  }

  /** Removes all commands and returns them, the oldest first. */
  take(): QueuedCommand[] {
    const taken = this.#held;
    this.#held = [];
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    return taken.map(({ command, stream, select }) => ({ command, stream, select }));
  }

  reject(error: Error): void {
    for (const { command } of this.take()) command.reject(error);
  }

  #expire(): void {
    const { refusal, waitMs } = this.#logins;
    if (refusal === undefined) return;
    const now = performance.now();
    const late = this.#held.filter(({ since }) => now - since >= waitMs);
    this.#held = this.#held.filter(({ since }) => now - since < waitMs);
    if (this.#held.length === 0) this.take();
    for (const { command } of late) command.reject(refusal);
  }
}
