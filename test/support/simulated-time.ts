import type { Source } from 'hot-secrets';
import { onTestFinished, vi } from 'vitest';

const realSetTimeout = setTimeout;
const realNow = performance.now.bind(performance);

/** Longer than a read that waits for sockets and files only. */
const MAX_REAL_MS = 2_000;

/**
 * Replaces the clock and the timers of this process until the test ends. Sockets and files stay real: after each second,
 * `pass` waits for the reads of the watched sources. Open the store after this call.
 */
export function simulateTime() {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'], now: Date.now() });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  let reads = 0;
  return {
    watched(source: Source): Source {
      const read: Source['read'] = async (request) => {
        reads += 1;
        return source.read(request).finally(() => {
          reads -= 1;
        });
      };
      return { ...source, read };
    },
    async pass(seconds: number): Promise<void> {
      for (let passed = 0; passed < seconds; passed += 1) {
        await vi.advanceTimersByTimeAsync(1_000);
        const start = realNow();
        do await new Promise<void>((resolve) => realSetTimeout(resolve, 1));
        while (reads > 0 && realNow() - start < MAX_REAL_MS);
      }
    },
  };
}
