import type { Source } from 'hot-secrets';
import { onTestFinished, vi } from 'vitest';

const realSetTimeout = setTimeout;
const realNow = performance.now.bind(performance);

/** Longer than a read takes that waits for nothing but sockets and files. */
const MAX_REAL_MS = 2_000;

/**
 * Replaces the clock and the timers of this process for the rest of the test, while sockets and files stay real: time
 * passes a second at a time, and each time as long as the reads of the watched sources need. Open the store after it.
 */
export function simulateTime() {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.now() });
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
