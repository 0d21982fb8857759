import { expect, it } from 'vitest';
import { longValues } from '../../../src/redact/find-values';
import { seededRandom } from '../../support/seeded-random';

const ROUNDS = 300;

it('finds the same occurrences of random forms in random text as a naive search', () => {
  const random = seededRandom(11);
  const below = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < ROUNDS; round += 1) {
    const alphabet = ['ab', 'abcdefgh', 'aaaab\u0161\u4e61', '0123456789"\\'][below(4)] as string;
    const textOf = (length: number) =>
      Array.from({ length }, () => alphabet.charAt(below(alphabet.length))).join('');
    const shortest = 6 + below(9);
    const forms = Array.from(
      { length: 1 + below(40) },
      (_, index) => textOf(shortest + below(12)) + (index % 9 === 8 ? textOf(400) : ''),
    );
    const pieces = Array.from({ length: 20 }, () =>
      below(2) === 0 ? textOf(below(9)) : (forms[below(forms.length)] as string),
    );
    const text = pieces.join('');
    const names = new Map(forms.map((form) => [form, `name of ${form}`]));
    const naive = [...names].flatMap(([form, name]) =>
      placesOf(form, text).map((start) => `${start} ${name}`),
    );
    const found = longValues(names)(text).map(({ start, end, name }) => {
      expect(names.get(text.slice(start, end))).toBe(name);
      return `${start} ${name}`;
    });
    expect([...found].sort()).toEqual(naive.sort());
  }
});

function placesOf(form: string, text: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) places.push(at);
  return places;
}
