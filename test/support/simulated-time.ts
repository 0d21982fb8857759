import { createRequire } from 'node:module';
import type { Source } from 'hot-secrets';
import { type KeyVaultOptions, keyVault } from 'hot-secrets/key-vault';
import type { KeyVaultEmulator } from 'hot-secrets/testing';
import { onTestFinished, vi } from 'vitest';

// A package that loads later might keep a simulated timer.
for (const name of ['@azure/identity', '@azure/keyvault-secrets']) createRequire(import.meta.url)(name);

const realSetTimeout = setTimeout;
const realNow = performance.now.bind(performance);

/** Longer than any request that gets an answer. */
const MAX_REAL_MS = 5_000;
/** Longer than a client works between two requests of one read. A read that pauses stays quiet for longer. */
const QUIET_TURNS = 25;

/**
 * Replaces the clock and the timers of this process until the test ends. Sockets and files stay real: after each timer, time
 * stands still until the reads of the source are over, or pause. Start the emulator before this call, and open the store after it.
 */
export function simulateTime(vault: KeyVaultEmulator) {
  vi.useFakeTimers({
    toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    now: Date.now(),
  });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const { agent } = vault;
  const busy = () => Object.keys(agent.sockets).length + Object.keys(agent.requests).length > 0;
  let reads = 0;
  let started = 0;
  /** Waits in real time. */
  const waitWhile = async (condition: () => boolean) => {
    const start = realNow();
    do await new Promise<void>((resolve) => realSetTimeout(resolve, 1));
    while (condition() && realNow() - start < MAX_REAL_MS);
  };
  const rest = () => {
    let quiet = 0;
    return waitWhile(() => {
      quiet = busy() ? 0 : quiet + 1;
      return reads > 0 && quiet < QUIET_TURNS;
    });
  };
  /** Lets time pass from timer to timer, until the condition holds or the time is over. Resolves with the condition. */
  const passUntil = async (condition: () => boolean, seconds: number): Promise<boolean> => {
    let over = false;
    const end = setTimeout(() => {
      over = true;
    }, seconds * 1_000);
    await rest();
    while (!over && !condition()) {
      await vi.advanceTimersToNextTimerAsync();
      await rest();
    }
    clearTimeout(end);
    return condition();
  };
  return {
    /** The source under test, for which the vault answers with the simulated time. */
    sourceOf(options: Partial<KeyVaultOptions> = {}): Source {
      const clientOptions = { additionalPolicies: [dated] };
      const source = keyVault({ ...vault.options, clientOptions, ...options });
      return {
        ...source,
        async read(request) {
          reads += 1;
          started += 1;
          return source.read(request).finally(() => {
            reads -= 1;
          });
        },
      };
    },
    async pass(seconds: number): Promise<void> {
      await passUntil(() => false, seconds);
    },
    /** @throws if the condition does not hold after this time. */
    async until(condition: () => boolean, seconds = 10): Promise<void> {
      if (!(await passUntil(condition, seconds))) throw new Error(`It did not happen within ${seconds} s.`);
    },
    /** Lets time pass until the work settles. */
    async during<T>(work: Promise<T>, seconds = 60): Promise<T> {
      let settled = false;
      const settle = () => {
        settled = true;
      };
      work.then(settle, settle);
      // The modules of a first read take a while to load.
      const before = started - reads;
      await waitWhile(() => !settled && started === before);
      await passUntil(() => settled, seconds);
      return work;
    },
  };
}

interface Answer {
  readonly headers: { set(name: string, value: string): void };
}

/** Node sets this header from the real clock. */
const dated = {
  position: 'perCall',
  policy: {
    name: 'simulatedDate',
    async sendRequest(request: unknown, next: (request: unknown) => Promise<Answer>): Promise<Answer> {
      const answer = await next(request);
      answer.headers.set('date', new Date().toUTCString());
      return answer;
    },
  },
};
