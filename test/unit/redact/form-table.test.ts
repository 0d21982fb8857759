import fc from 'fast-check';
import { memory, SecretStore, secret } from 'hot-secrets';
import { expect, it } from 'vitest';
import type { LongForm } from '../../../src/redact/form-table';
import { LongValues } from '../../../src/redact/long-values';

const RUNS = 300;
const LEAST = 6;

const word = (least: number) =>
  fc.string({ unit: fc.constantFrom('a', 'b', '中'), minLength: least, maxLength: 14 });
const single = word(LEAST).map((text): LongForm => ({ text, least: text.length }));
const lines = fc.array(word(LEAST), { minLength: 1, maxLength: 8 }).map((all): LongForm => {
  const places: number[] = [];
  let text = '';
  for (const line of all) {
    places.push(text.length, text.length + line.length);
    text += `${line}\n`;
  }
  return { text, places: Int32Array.from(places), least: 0 };
});
const value = fc.record({ form: fc.oneof(single, lines), name: fc.constantFrom('first', 'second', 'third') });

it('finds what a naive search finds, with the first name of each form, after any order of additions and removals', () => {
  fc.assert(
    fc.property(
      fc.array(value, { minLength: 1, maxLength: 12 }),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      fc.array(fc.oneof(word(0), fc.nat()), { maxLength: 12 }),
      (values, kept, pieces) => {
        const ranks = ['first', 'second', 'third'];
        const table = new LongValues((name) => ranks.indexOf(name));
        table.reserve(values.map(({ form }) => form));
        const added = values.map(({ form, name }) => table.add(form, name));
        for (const [index, one] of added.entries()) if (!kept[index]) table.remove(one);
        const live = values.filter((_, index) => kept[index]);
        const forms = values.flatMap(({ form }) => formsIn(form));
        const text = pieces
          .map((piece) => (typeof piece === 'string' ? piece : forms[piece % forms.length]))
          .join('');
        expect(textsOf(table.find(text))).toEqual(naive(text, live, ranks));
        // Nothing is left once all are removed.
        for (const [index, one] of added.entries()) if (kept[index]) table.remove(one);
        expect(table.find(text)).toEqual([]);
      },
    ),
    { numRuns: RUNS },
  );
});

it.each([6, 8, 64])(
  'masks each of thousands of lines of %i characters in either alphabet of base64, and no longer after rotations',
  async (length) => {
    const lineOf = (round: number, index: number) =>
      `${round}/+${index}`.padEnd(length - 1, `x${index}`).slice(0, length - 1) +
      (index % 7 === 0 ? '=' : 'y');
    const textOf = (round: number) =>
      Array.from({ length: 2_000 }, (_, index) => lineOf(round, index)).join('\n');
    const source = memory({ text: textOf(0), other: 'another-value' });
    await using store = await SecretStore.open({
      secrets: { text: secret.text('text', { trim: 'none' }), other: 'other' },
      sources: [source],
    });
    for (let round = 1; round <= 10; round += 1) {
      for (const index of [0, 7, 999, 1_999]) {
        const line = lineOf(round - 1, index);
        // The alphabet for URLs has no padding, and what is shorter than six characters stays.
        const inUrl = line.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, '');
        if (inUrl.length >= LEAST) expect(store.redact(`a ${inUrl} b`)).toBe('a [secret text] b');
      }
      expect(store.redact('another-value')).toBe('[secret other]');
      source.set({ text: textOf(round), other: 'another-value' });
      await store.refresh();
    }
    const oldest = lineOf(0, 999);
    expect(store.redact(oldest)).toBe(oldest);
    expect(store.redact(lineOf(2, 999))).toBe('[secret text]');
  },
);

it('masks all of long base64url whose first difference from base64 comes after its prepared beginning', async () => {
  const text = `${'a'.repeat(1_200)}${'???>>>'.repeat(200)}`;
  await using store = await SecretStore.open({ secrets: { text: 'text' }, sources: [memory({ text })] });
  for (const encoding of ['base64', 'base64url'] as const) {
    expect(store.redact(Buffer.from(text).toString(encoding))).toBe('[secret text]');
  }
});

function formsIn({ text, places }: LongForm): string[] {
  if (places === undefined) return [text];
  const forms: string[] = [];
  for (let at = 0; at < places.length; at += 2) forms.push(text.slice(places[at], places[at + 1]));
  return forms;
}

function textsOf(found: readonly { start: number; end: number; name: string }[]) {
  return found.map(({ start, end, name }) => ({ start, end, name }));
}

/** Replaces from left to right: the longest form at the first place, united with all that overlap it. */
function naive(text: string, values: readonly { form: LongForm; name: string }[], ranks: readonly string[]) {
  const found: { start: number; end: number; name: string }[] = [];
  const owned = values.flatMap(({ form, name }) => formsIn(form).map((one) => ({ one, name })));
  owned.sort((a, b) => b.one.length - a.one.length || ranks.indexOf(a.name) - ranks.indexOf(b.name));
  for (let start = 0; start < text.length; start += 1) {
    const longest = owned.find(({ one }) => text.startsWith(one, start));
    if (longest === undefined) continue;
    const end = start + longest.one.length;
    const last = found.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else found.push({ start, end, name: longest.name });
  }
  return found;
}
