import { expect, it } from 'vitest';
import type { LongForm } from '../../../src/redact/form-table';
import { LongValues } from '../../../src/redact/long-values';
import { seededRandom } from '../../support/seeded-random';

const ROUNDS = 300;

it('finds the same characters of random forms in random text as a naive search, with the name of a form that is there', () => {
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
    const values = new LongValues(() => 0);
    // Forms of earlier generations leave nothing behind.
    const earlier = Array.from({ length: below(30) }, () =>
      values.add(formOf(textOf(6 + below(20))), 'earlier'),
    );
    for (const form of forms) values.add(formOf(form), `name of ${form}`);
    for (const added of earlier) values.remove(added);
    const expected = new Set<number>();
    for (const form of forms)
      for (const start of placesOf(form, text)) addRange(expected, start, start + form.length);
    const found = new Set<number>();
    for (const { start, end, name } of values.find(text)) {
      expect(text.startsWith(name.slice('name of '.length), start)).toBe(true);
      addRange(found, start, end);
    }
    expect([...found].sort()).toEqual([...expected].sort());
  }
});

it('finds a form that is longer than its prepared beginning as far as the text is equal, also with a common beginning', () => {
  const beginning = 'same-beginning-'.repeat(10);
  const wholes = ['first'.repeat(50), 'second'.repeat(50), 'third'.repeat(50)].map((end) => beginning + end);
  const values = new LongValues(() => 0);
  for (const [index, whole] of wholes.entries())
    values.add({ text: beginning, least: beginning.length, whole: () => whole }, `${index}`);
  for (const whole of wholes) {
    expect(values.find(`x${whole}y`)).toMatchObject([{ start: 1, end: 1 + whole.length }]);
    expect(values.find(`x${whole.slice(0, 200)}y`)).toMatchObject([{ start: 1, end: 201 }]);
  }
});

it('names the first of the secrets that have a form, whichever was added first or removed', () => {
  const values = new LongValues((name) => ['first', 'second', 'third'].indexOf(name));
  const nameOf = (text: string) => values.find(text)[0]?.name;
  const add = (name: string) => values.add(formOf('the-same-value'), name);
  const [second, third, first, again] = [add('second'), add('third'), add('first'), add('second')];
  expect(nameOf('x the-same-value y')).toBe('first');
  values.remove(first);
  expect(nameOf('x the-same-value y')).toBe('second');
  values.remove(second);
  expect(nameOf('x the-same-value y')).toBe('second');
  values.remove(again);
  expect(nameOf('x the-same-value y')).toBe('third');
  values.remove(third);
  expect(nameOf('x the-same-value y')).toBeUndefined();
});

function formOf(text: string): LongForm {
  return { text, least: text.length };
}

function addRange(places: Set<number>, start: number, end: number): void {
  for (let place = start; place < end; place += 1) places.add(place);
}

function placesOf(form: string, text: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) places.push(at);
  return places;
}
