import { memory, SecretStore, secret } from 'hot-secrets';
import { expect, it } from 'vitest';
import { base64Around, encodings, holds } from '../../support/encodings';
import { seededRandom } from '../../support/seeded-random';

const ROUNDS = 400;
const SEED = 20_260_101;
const ALPHABET = [
  ...'abcXYZ019',
  ...'"\'\\/<>&%+= ?#@:;,{}[]-_.~!$*|^`',
  ...'\n\t\r\u0007\u001b\u007f',
  ...'éßñ中\u2028\ufeff',
  ...['😀', '𝔘'],
];

it('masks random values in random JSON, URLs and base64, and keeps the JSON valid', async () => {
  const random = seededRandom(SEED);
  const below = (count: number) => Math.floor(random() * count);
  const pick = <T>(of: readonly T[]) => of[below(of.length)] as T;
  const textOf = (length: number) => Array.from({ length }, () => pick(ALPHABET)).join('');
  const source = memory({ value: 'first-value', other: JSON.stringify({ part: 'other-value' }) });
  await using store = await SecretStore.open({
    secrets: { value: 'value', other: secret.json('other') },
    sources: [source],
  });
  const served: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const value = textOf(6 + below(20)).replace(/^\ufeff|[\r\n]+$/g, 'n');
    const part = textOf(6 + below(8));
    source.set({ value, other: JSON.stringify({ part, number: 100_000 + below(1e9) }) });
    await store.refresh();
    expect(store.reveal('value') === value).toBe(true);
    served.unshift(value);
    // The current value and the eight before it.
    const current = pick(served.slice(0, 9));
    const written = pick(Object.values(encodings))(`${textOf(below(4))}${current}${textOf(below(4))}`);
    const around = base64Around(current, textOf(below(5)), textOf(below(5)));
    const line = {
      message: `before ${current} after`,
      [`key ${part}`]: { deep: [JSON.stringify({ body: current, more: [part] }), current] },
      around,
      url: `https://example.test/${encodeURIComponent(part)}?q=${encodings['in a form']?.(current)}#x`,
      number: (store.reveal('other') as { number: number }).number,
    };
    for (const text of [written, around, JSON.stringify(line), JSON.stringify(JSON.stringify(line))]) {
      const masked = store.redact(text);
      if (!holds(text, current)) expect.fail(`round ${round}: the test does not see its own value`);
      for (const one of [current, part]) {
        if (holds(masked, one)) expect.fail(`round ${round}: ${JSON.stringify({ one, text, masked })}`);
      }
    }
    const parsed = JSON.parse(store.redact(JSON.stringify(line))) as Record<string, unknown>;
    expect(parsed.message).toBe('before [secret value] after');
    expect(parsed.number).toBe('[secret other]');
    expect(Object.keys(parsed)).toContain('key [secret other]');
    expect(JSON.parse(JSON.parse(store.redact(JSON.stringify(JSON.stringify(line)))))).toEqual(parsed);
  }
});
