import { inspect } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { base64Around, encodings, holds } from '../../support/encodings';

const MARKER = 'leak-"marker"/é<&>+😀 %';

describe('redact', () => {
  it.each(Object.entries(encodings))('masks a value %s', async (_, encode) => {
    await using store = await SecretStore.open({
      secrets: { value: 'value' },
      sources: [memory({ value: MARKER })],
    });
    const text = encode(`before ${MARKER} after`);
    expect(holds(text, MARKER)).toBe(true);
    const masked = store.redact(text);
    expect(holds(masked, MARKER)).toBe(false);
    expect(masked.split('[secret value]')).toHaveLength(2);
    expect(masked).toMatch(/^before.*after$/);
  });

  it('masks a value in base64 and base64url, also at each alignment inside longer base64', async () => {
    await using store = await SecretStore.open({
      secrets: { value: 'value' },
      sources: [memory({ value: MARKER })],
    });
    for (const before of ['', 'a', 'ab', 'user:', 'abcdefghijk']) {
      for (const after of ['', '!', '@host', ' and more']) {
        const base64 = base64Around(MARKER, before, after);
        for (const text of [base64, base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')]) {
          expect(holds(text, MARKER)).toBe(true);
          for (const line of [text, JSON.stringify({ text }), encodeURIComponent(text)]) {
            const masked = store.redact(line);
            expect(masked).toContain('[secret value]');
            expect(holds(decodeURIComponent(masked), MARKER)).toBe(false);
          }
        }
      }
    }
    expect(store.redact(base64Around(MARKER, '', ''))).toBe('[secret value]');
    expect(store.redact(base64Around(JSON.stringify({ key: MARKER }), '', ''))).toContain('[secret value]');
  });

  it('masks a value in the headers of a request', async () => {
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [memory({ token: 'leak-marker-first' })],
    });
    expect(store.redact('Authorization: Bearer leak-marker-first')).toBe(
      'Authorization: Bearer [secret token]',
    );
    const basic = store.redact(`Authorization: Basic ${base64Around('leak-marker-first', 'user:', '')}`);
    expect(basic).toBe('Authorization: Basic dXNlcjp[secret token]A==');
  });

  it('masks bytes in base64, base64url and hex, at each alignment, and as numbers in JSON', async () => {
    const raw = Uint8Array.of(251, 255, 190, 7, 8, 9, 10, 250);
    await using store = await SecretStore.open({
      secrets: { raw: secret.bytes('raw') },
      sources: [memory({ raw })],
    });
    const bytes = Buffer.from(raw);
    const hex = bytes.toString('hex');
    for (const text of [bytes.toString('base64'), bytes.toString('base64url'), hex, hex.toUpperCase()]) {
      expect(store.redact(`<${text}>`)).toBe('<[secret raw]>');
    }
    for (const before of ['', 'a', 'ab']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const around = Buffer.concat([Buffer.from(before), bytes, Buffer.from('more')]).toString(encoding);
        expect(store.redact(around)).toContain('[secret raw]');
      }
    }
    expect(JSON.parse(store.redact(JSON.stringify({ raw, level: 30 })))).toEqual({
      raw: { 0: '[secret raw]' },
      level: 30,
    });
    expect(JSON.parse(store.redact(JSON.stringify({ raw: bytes })))).toEqual({
      raw: { type: 'Buffer', data: ['[secret raw]'] },
    });
  });

  it('leaves longer base64 alone when the secret bytes are so few that they would match by chance', async () => {
    const raw = Uint8Array.of(65, 66, 67, 68);
    await using store = await SecretStore.open({
      secrets: { raw: secret.bytes('raw') },
      sources: [memory({ raw })],
    });
    expect(store.redact('QUJDRA==')).toBe('[secret raw]');
    const around = base64Around('ABCD', 'x', 'x');
    expect(store.redact(around)).toBe(around);
  });

  it('masks a value as util.inspect prints it', async () => {
    await using store = await SecretStore.open({
      secrets: { value: 'value' },
      sources: [memory({ value: `it's "\u001b[1m" bold` })],
    });
    expect(store.redact(inspect({ value: `it's "\u001b[1m" bold` }))).toContain('[secret value]');
  });
});

describe('redact, with overlapping values', () => {
  it('masks overlapping values as one, under the name of the first, or of the longer of two that begin together', async () => {
    await using store = await SecretStore.open({
      secrets: { first: 'first', second: 'second', prefix: 'prefix', whole: 'whole' },
      sources: [
        memory({ first: 'abcdefgh', second: 'efghijkl', prefix: 'same-start', whole: 'same-start-and-more' }),
      ],
    });
    expect(store.redact('abcdefghijkl')).toBe('[secret first]');
    expect(store.redact('efghijkl')).toBe('[secret second]');
    expect(store.redact('same-start-and-more same-start-and')).toBe('[secret whole] [secret prefix]-and');
    expect(store.redact('abcdefghabcdefgh')).toBe('[secret first][secret first]');
  });

  it('names the first of two secrets with the same value', async () => {
    await using store = await SecretStore.open({
      secrets: { one: 'one', two: 'two' },
      sources: [memory({ one: 'shared-value', two: 'shared-value' })],
    });
    expect(store.redact('shared-value')).toBe('[secret one]');
  });
});

it('returns text without a value unchanged, and masks values in text of megabytes', async () => {
  await using store = await SecretStore.open({
    secrets: { value: 'value' },
    sources: [memory({ value: 'leak-marker-first' })],
  });
  for (const text of ['', 'plain', 'C:\\new\\u00zz 50% %zz \\', `{"a":"${'x\\n'.repeat(100_000)}"}`]) {
    expect(store.redact(text)).toBe(text);
  }
  const huge = `${'y"\\n'.repeat(500_000)}leak-marker-first${'z'.repeat(500_000)}leak-marker-first`;
  expect(store.redact(huge)).toBe(huge.replaceAll('leak-marker-first', '[secret value]'));
});

it('names the right one of 400 values with the same beginning', async () => {
  const content = Object.fromEntries(
    Array.from({ length: 400 }, (_, index) => [`db-${index}`, `postgres://app:pw-of-${index}-x@db:5432/app`]),
  );
  await using store = await SecretStore.open({
    secrets: Object.fromEntries(Object.keys(content).map((name) => [name, name])),
    sources: [memory(content)],
  });
  for (const [name, value] of Object.entries(content)) {
    expect(store.redact(`to ${value}?x`)).toBe(`to [secret ${name}]?x`);
  }
});
