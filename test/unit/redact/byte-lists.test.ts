import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';

const bytes = Buffer.concat(
  ['one', 'two', 'six', 'ten'].map((text) => createHash('sha256').update(text).digest()),
);
const text = Buffer.from('QX7_zyxwvutsrqponm');

const hexOf = (value: Buffer) => value.toString('hex');
const separated = (value: Buffer, separator: string) => hexOf(value).replace(/..(?=.)/g, `$&${separator}`);

const NOTATIONS: Readonly<Record<string, (value: Buffer) => string>> = {
  'toString()': (value) => `${value}`,
  "toString('latin1')": (value) => value.toString('latin1'),
  'toString of a Uint8Array': (value) => String(new Uint8Array(value)),
  'inspect of a Buffer': (value) => inspect({ deep: { value } }),
  'inspect of a Uint8Array': (value) => inspect({ deep: { value: new Uint8Array(value) } }),
  'inspect of an ArrayBuffer': (value) => inspect(new Uint8Array(value).buffer),
  'inspect of an array': (value) => inspect([...value]),
  'JSON of a Buffer': (value) => JSON.stringify({ value }),
  'JSON of a Uint8Array, indented': (value) => JSON.stringify({ value: new Uint8Array(value) }, undefined, 2),
  'JSON of an array': (value) => JSON.stringify([...value]),
  hex: hexOf,
  'HEX with colons': (value) => separated(value, ':').toUpperCase(),
  'hex with spaces': (value) => separated(value, ' '),
  'hex with dashes': (value) => separated(value, '-'),
  'hex as in C': (value) => separated(value, ', 0x').replace(/^/, '0x'),
  base64: (value) => value.toString('base64'),
};

/** Returns true if a text has three neighbouring bytes of a value in a list. */
function holdsBytes(line: string, value: Buffer): boolean {
  const plain = line
    .replaceAll(/"\d+"\s*:/g, '')
    .replaceAll('\\n', ' ')
    .replaceAll('0x', '');
  const decimals = `,${plain.match(/\d+/g)?.join(',') ?? ''},`;
  const hex = plain.toLowerCase().replaceAll(/[\s:,-]/g, '');
  return Array.from({ length: value.length - 3 }, (_, at) => value.subarray(at, at + 3)).some(
    (part) =>
      decimals.includes(`,${part.join(',')},`) ||
      hex.includes(hexOf(part)) ||
      plain.includes(part.toString('latin1')),
  );
}

describe('redact, for bytes', () => {
  it.each(Object.entries(NOTATIONS))('masks %s, alone and in JSON', async (_, write) => {
    const source = memory({ random: bytes, hook: text });
    await using store = await SecretStore.open({
      secrets: { random: secret.bytes('random'), hook: secret.bytes('hook') },
      sources: [source],
    });
    for (const value of [bytes, text]) {
      for (const line of [write(value), `key ${write(value)} end`, JSON.stringify({ msg: write(value) })]) {
        const masked = store.redact(line);
        expect(masked).toContain(`[secret ${value === bytes ? 'random' : 'hook'}]`);
        expect(holdsBytes(masked, value), masked).toBe(false);
      }
    }
  });

  it('leaves other lists of numbers, times, addresses and identifiers unchanged', async () => {
    await using store = await SecretStore.open({
      secrets: { random: secret.bytes('random'), few: secret.bytes('few') },
      sources: [memory({ random: bytes, few: Uint8Array.of(1, 2, 3) })],
    });
    for (const line of [
      '[1,2,3,4,5,6,7,8]',
      '[300, 301, 302, 303, 304, 305, 306]',
      'at 12:34:56, from 00:1b:44:11:3a:b7, for 0b3f6b0e-58f4-4bd0-9c9e-1f2a8f6f7a10',
      '{"a":1,"b":2,"c":[1,2,3]}',
    ]) {
      expect(store.redact(line)).toBe(line);
    }
  });

  it('masks each of two values that begin alike to its end', async () => {
    const values = [1, 2, 3].map((end) => Buffer.concat([bytes.subarray(0, 40), Buffer.alloc(30, end)]));
    await using store = await SecretStore.open({
      secrets: { a: secret.bytes('a'), b: secret.bytes('b'), c: secret.bytes('c') },
      sources: [memory({ a: values[0], b: values[1], c: values[2] })],
    });
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      expect(store.redact(`<${[...(values[index] as Buffer)].join(', ')}>`)).toBe(`<[secret ${name}]>`);
    }
  });

  it('masks a megabyte of bytes in each of its encodings', async () => {
    const large = Buffer.concat(
      Array.from({ length: 32_768 }, (_, at) => createHash('sha256').update(`${at}`).digest()),
    );
    await using store = await SecretStore.open({
      secrets: { large: secret.bytes('large') },
      sources: [memory({ large })],
    });
    for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const) {
      expect(store.redact(`<${large.toString(encoding)}>`), encoding).toBe('<[secret large]>');
    }
    const inside = store.redact(`<${Buffer.concat([Buffer.from('x'), large]).toString('base64')}>`);
    expect(inside.length).toBeLessThan(30);
    expect(store.redact(`<${large.join()}>`)).toBe('<[secret large]>');
  });
});
