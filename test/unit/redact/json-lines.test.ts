import { memory, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../support/seeded-random';

async function open(values: Record<string, unknown>) {
  return SecretStore.open({
    secrets: { config: secret.json('config'), text: 'text', 'na"me\\\n': secret.text('third') },
    sources: [memory({ text: 'unused-value', third: 'unused-third', config: '{}', ...values } as never)],
  });
}

describe('redact, in a line of JSON', () => {
  it('masks a number in JSON as a string', async () => {
    await using store = await open({ config: '{"pin":12345678,"rate":0.123456,"low":-1234567}' });
    expect(store.redact('{"pin":12345678,"x":[12345678, 0.123456],"y": -1234567}')).toBe(
      '{"pin":"[secret config]","x":["[secret config]", "[secret config]"],"y": "[secret config]"}',
    );
    expect(store.redact('info: sent {"pin":12345678}')).toBe('info: sent {"pin":"[secret config]"}');
    expect(store.redact('pin 12345678, "12345678"')).toBe('pin [secret config], "[secret config]"');
    const nested = JSON.stringify({ body: JSON.stringify({ pin: 12345678 }) });
    const masked = JSON.parse(store.redact(nested)) as { body: string };
    expect(JSON.parse(masked.body)).toEqual({ pin: '[secret config]' });
  });

  it('leaves a number in JSON alone that only contains the digits of a value', async () => {
    await using store = await open({ config: '{"pin":123456}', text: '654321' });
    const line = '{"time":1712345678901,"a":-123456,"b":123456.5,"c":[6543210,0.654321]}';
    expect(store.redact(line)).toBe(line);
    expect(store.redact('{"a":"1712345678901"}')).toBe('{"a":"17[secret config]78901"}');
  });

  it.each([
    ['[null,12345678]', [null, '[secret config]']],
    ['[true,false,12345678]', [true, false, '[secret config]']],
    ['[[],12345678]', [[], '[secret config]']],
    ['[{},[],{"a":12345678}]', [{}, [], { a: '[secret config]' }]],
    ['[ [ ] , 12345678 ]', [[], '[secret config]']],
    ['[null,{"a":[12345678]}]', [null, { a: ['[secret config]'] }]],
    ['[-1.5e3,[12345678]]', [-1500, ['[secret config]']]],
    ['{"a":{"b":[null,12345678]}}', { a: { b: [null, '[secret config]'] } }],
    ['12345678', '[secret config]'],
    [' 12345678\n', '[secret config]'],
  ])('keeps %s valid JSON', async (line, expected) => {
    await using store = await open({ config: '{"pin":12345678}' });
    expect(JSON.parse(store.redact(line))).toEqual(expected);
  });

  it('masks digits after the escapes of a URL or of JSON, in a line that only begins as JSON', async () => {
    await using store = await open({ config: '{"pin":48900439279}' });
    for (const sign of ['%22', '%3A', '%5B', '\\u0022', '\\x22']) {
      const masked = store.redact(`{"v":"x"} GET /q=v${sign}48900439279${sign}`);
      expect(masked).toBe(`{"v":"x"} GET /q=v${sign}[secret config]${sign}`);
    }
  });

  it('masks a value whose JSON in a URL escapes one of its characters', async () => {
    const ascii = (json: string) =>
      json.replace(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
    for (const text of [
      'line-one\nline-two',
      'abcdef\tghi',
      'contraseñaSecreta',
      'quoted"value',
      'back\\slash',
      'a/slash',
    ]) {
      await using store = await open({ text });
      const url = `/q?state=${encodeURIComponent(ascii(JSON.stringify({ text })))}`;
      for (const line of [url, JSON.stringify({ url }), encodeURIComponent(url)]) {
        expect(decodeURIComponent(decodeURIComponent(store.redact(line)))).toContain(
          '"text":"[secret text]"}',
        );
      }
    }
  });

  it('changes no key of a line of JSON that is a name, and masks other keys and quotes in messages', async () => {
    await using store = await open({ text: 'service', third: 'orders' });
    expect(
      store.redact('{"service":"orders","orders-count":{ "service" : "a service"},"x":["service"]}'),
    ).toBe(
      '{"service":"[secret na?me??]","orders-count":{ "service" : "a [secret text]"},"x":["[secret text]"]}',
    );
    expect(store.redact('{"a":"b"}\n{"service":1}')).toBe('{"a":"b"}\n{"service":1}');
    expect(store.redact('{"msg":"error for \\"service\\": bad"}')).toBe(
      '{"msg":"error for \\"[secret text]\\": bad"}',
    );
    expect(store.redact('{"a":"b"} no key: "service": 1')).toBe('{"a":"b"} no key: "[secret text]": 1');
    expect(store.redact('"service": 1')).toBe('"[secret text]": 1');
    await using other = await open({ text: 'sk_live_4eC39HqLyjWDarjtT1', third: 'p&ss "word"' });
    expect(other.redact('{"sk_live_4eC39HqLyjWDarjtT1":{"p&ss \\"word\\"":1}}')).toBe(
      '{"[secret text]":{"[secret na?me??]":1}}',
    );
  });

  it('keeps the JSON valid when a text secret is itself JSON or contains quotes', async () => {
    await using store = await open({ text: '{"user":"a","key":"b"}', third: '"quoted-value"' });
    expect(store.redact('{"level":30,"config":{"user":"a","key":"b"}}')).toBe(
      '{"level":30,"config":"[secret text]"}',
    );
    expect(store.redact('{"value":"quoted-value"}')).toBe('{"value":"[secret na?me??]"}');
  });

  it('keeps the JSON valid when a value begins or ends in the middle of an escape', async () => {
    await using store = await open({ text: 'network', third: 'ends-with\\' });
    expect(store.redact('{"a":"\\network"}')).toBe('{"a":"[secret text]"}');
    expect(store.redact('{"a":"ends-with\\"b\\""}')).toBe('{"a":"[secret na?me??]b\\""}');
  });

  it('keeps the JSON valid when the name of a secret contains what JSON escapes', async () => {
    await using store = await open({ third: 'leak-marker-first' });
    const line = JSON.stringify({ a: JSON.stringify({ b: 'leak-marker-first' }) });
    const masked = JSON.parse(store.redact(line)) as { a: string };
    expect(JSON.parse(masked.a)).toEqual({ b: '[secret na?me??]' });
  });

  it('keeps random lines of JSON valid while it masks random values', async () => {
    const random = seededRandom(7);
    const below = (count: number) => Math.floor(random() * count);
    const textOf = (length: number) =>
      Array.from({ length }, () => '"\\nu/0123,:{}[] a'.charAt(below(17))).join('');
    const digits = (length: number) => Array.from({ length }, () => 1 + below(3)).join('');
    for (let round = 0; round < 100; round += 1) {
      const text = `x${textOf(5 + below(3))}`;
      const pin = Number(digits(6));
      await using store = await open({ text, third: digits(6), config: JSON.stringify({ pin }) });
      for (let index = 0; index < 20; index += 1) {
        const line = JSON.stringify({
          [textOf(below(6))]: [textOf(below(9)) + text + textOf(2), Number(digits(4 + below(6))), pin, -pin],
          inner: JSON.stringify({ pin, [textOf(3)]: text, list: [Number(digits(7))] }),
          pin,
        });
        const masked = store.redact(line);
        expect(() => JSON.parse(masked), JSON.stringify({ text, pin, line, masked })).not.toThrow();
        expect(masked).toContain('"pin":"[secret ');
      }
    }
  });
});
