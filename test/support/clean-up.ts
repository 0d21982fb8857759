import { afterAll, vi } from 'vitest';

// The next test file may run in the same process. A spy on a fake timer must go before the fake timers do.
afterAll(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});
