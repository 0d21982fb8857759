import { onTestFinished, vi } from 'vitest';
import { SecretsError } from '../../src/errors';
import { deferred } from './deferred';

/** A store that counts its refreshes, and lets a test end them. */
export function countingStore() {
  const triggers: (string | undefined)[] = [];
  const ends: (() => void)[] = [];
  let closed = false;
  return {
    /** The trigger of each refresh, in order. */
    triggers,
    /** When true, each refresh lasts until `finish`. */
    held: false,
    snapshot() {
      if (closed) throw new SecretsError('STORE_CLOSED', 'the store is closed');
      return {};
    },
    async refresh({ trigger }: { readonly trigger?: string } = {}) {
      if (closed) throw new SecretsError('STORE_CLOSED', 'the store is closed');
      triggers.push(trigger);
      if (!this.held) return;
      const { promise, resolve } = deferred<void>();
      ends.push(resolve);
      await promise;
    },
    finish() {
      for (const end of ends.splice(0)) end();
    },
    close() {
      closed = true;
    },
  };
}

/** Records process warnings instead of printing them. */
export function recordWarnings(): { codes(): string[]; text(): string; [Symbol.dispose](): void } {
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  return {
    codes: () => spy.mock.calls.map(([, options]) => (options as unknown as { code: string }).code),
    text: () => spy.mock.calls.map(([message]) => String(message)).join('\n'),
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

/** Moves the clock that measures how much time has passed. Timers keep their own. */
export function fakeClock(): { advance(ms: number): void } {
  const now = performance.now.bind(performance);
  let ahead = 0;
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead);
  onTestFinished(() => spy.mockRestore());
  return {
    advance(ms) {
      ahead += ms;
    },
  };
}
