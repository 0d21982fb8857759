import { memory, type Source } from 'hot-secrets';

/** `ok` answers, `failing` throws, `hanging` never answers. */
export type SourceMood = 'ok' | 'failing' | 'hanging';

/** From this age of its last good look on, the source counts as stale: many times its interval. */
export const FRAGILE_STALENESS_MS = 300;

/** A source that is looked at all the time, and that a test breaks and mends. */
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
