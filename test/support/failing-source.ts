import { memory, type Source } from 'hot-secrets';

/** `ok` answers, `failing` throws, `hanging` never answers. */
export type SourceMood = 'ok' | 'failing' | 'hanging';

/** The source is stale this long after its last successful read: many times its interval. */
export const FRAGILE_STALENESS_MS = 300;

/** A source that the store reads every 20 ms. A test breaks and repairs it. */
export function fragileMemory(values: Readonly<Record<string, string>>): Source & { mood: SourceMood } {
  const source = memory(values);
  return {
    ...source,
    maxStalenessMs: FRAGILE_STALENESS_MS,
    mood: 'ok',
    read(request) {
      if (this.mood === 'failing') throw new Error('leak-marker');
      return this.mood === 'hanging' ? new Promise(() => {}) : source.read(request);
    },
    watch({ hint }) {
      const timer = setInterval(() => hint('poll'), 20);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}
