import type { ReadResult, Source } from '../../src/sources/source';

export const MOODS = ['slow', 'hangs', 'fails', 'throws', 'answers nonsense'] as const;
export type Mood = (typeof MOODS)[number] | 'ok';

let mood: Mood = 'ok';
let release: (() => void)[] = [];

/** Decides how every slow source answers from now on. `ok` also ends the reads that hang. */
export function setMood(next: Mood): void {
  mood = next;
  if (mood !== 'ok') return;
  for (const go of release) go();
  release = [];
}

/** A source of higher precedence that has none of the secrets, and answers as its mood tells. */
export function slowSource(): Source {
  return {
    name: 'slow',
    location: '',
    inventory: async () => [],
    read({ lookups }) {
      const missing = lookups.map(({ name }) => [name, { status: 'missing', looked: 'nowhere' }] as const);
      const answer: ReadResult = { unchanged: false, readings: new Map(missing), revision: undefined };
      switch (mood) {
        case 'slow':
          return new Promise((resolve) => setTimeout(() => resolve(answer), 400));
        case 'hangs':
          return new Promise((resolve) => {
            release.push(() => resolve(answer));
          });
        case 'fails':
          return Promise.reject(new Error('down'));
        case 'throws':
          throw new Error('down');
        case 'answers nonsense':
          return Promise.resolve(null as unknown as ReadResult);
        case 'ok':
          return Promise.resolve(answer);
      }
    },
  };
}
