import { secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import type { Definition } from '../../../src/definitions/definition';

const decode = async <T>(definition: Definition<T>, value: string | Uint8Array): Promise<T> =>
  definition.decode([Buffer.from(value as string)]);
const refused = (code: string) => expect.objectContaining({ code, secret: 'one' });

describe('secret.text', () => {
  it.each([
    ['value\n', 'value'],
    ['value\r\n', 'value'],
    ['value\n\n', 'value\n'],
    ['value\r', 'value'],
    [' value ', ' value '],
    ['two\nlines\n', 'two\nlines'],
    ['grün 🔑', 'grün 🔑'],
    ['\ufeffvalue', 'value'],
  ])('drops at most one trailing line break of the text %j', async (stored, value) => {
    expect(await decode(secret.text('one'), stored)).toBe(value);
  });

  it('keeps a trailing line break with trim: "none"', async () => {
    expect(await decode(secret.text('one', { trim: 'none' }), 'value\r\n')).toBe('value\r\n');
  });

  it('refuses an empty text, and invalid UTF-8', async () => {
    await expect(decode(secret.text('one'), '\r\n')).rejects.toThrow(refused('VALUE_EMPTY'));
    await expect(decode(secret.text('one'), Uint8Array.of(0xc3, 0x28))).rejects.toThrow(
      refused('VALUE_NOT_UTF8'),
    );
  });
});

describe('secret.bytes', () => {
  it('copies the stored bytes unchanged', async () => {
    const stored = Buffer.from([0, 255, 13, 10]);
    const value = await secret.bytes('one').decode([stored]);
    stored.fill(0);
    expect([...value]).toEqual([0, 255, 13, 10]);
  });

  it.each([
    ['base64', '+/8=', [0xfb, 0xff]],
    ['base64', '+/8', [0xfb, 0xff]],
    ['base64', ' AQ\r\nID\n', [1, 2, 3]],
    ['base64url', '-_8', [0xfb, 0xff]],
    ['base64url', '-_8=', [0xfb, 0xff]],
  ] as const)('decodes the %s text %j', async (encoding, stored, value) => {
    const decoded = await decode(secret.bytes('one', { encoding }), stored);
    expect([...decoded]).toEqual(value);
    expect(decoded.buffer.byteLength, 'shares no memory with unrelated data').toBe(value.length);
  });

  it.each([
    ['base64', '-_8='],
    ['base64url', '+/8='],
    ['base64', 'AQID!'],
    ['base64', 'A'],
    ['base64', 'AQID='],
    ['base64', '='],
  ] as const)('refuses text that is not %s: %j', async (encoding, stored) => {
    await expect(decode(secret.bytes('one', { encoding }), stored)).rejects.toThrow(
      refused('VALUE_NOT_BASE64'),
    );
  });

  it('refuses empty bytes, also in base64', async () => {
    await expect(decode(secret.bytes('one'), '')).rejects.toThrow(refused('VALUE_EMPTY'));
    await expect(decode(secret.bytes('one', { encoding: 'base64' }), ' \n')).rejects.toThrow(
      refused('VALUE_EMPTY'),
    );
  });
});

describe('a definition', () => {
  it('derives the places of a definition from its alias', () => {
    const [wanted] = secret.text('db/primary/tls.crt').lookups;
    expect(wanted).toEqual({
      name: 'db/primary/tls.crt',
      file: 'db/primary/tls.crt',
      env: ['DB_PRIMARY_TLS_CRT'],
      vault: 'db-primary-tls-crt',
    });
    expect(secret.text('2fa-key').lookups[0]?.env).toEqual(['_2FA_KEY']);
  });

  it('accepts other places for a definition, and an empty list for no variable', () => {
    const [wanted] = secret.text('one', { file: 'other/file', env: [] }).lookups;
    expect(wanted).toMatchObject({ name: 'one', file: 'other/file', env: [] });
    expect(secret.text('one', { env: ['A', 'B'] }).lookups[0]?.env).toEqual(['A', 'B']);
  });

  it('makes an optional copy of a definition without changing the original', () => {
    const required = secret.text('one');
    const optional = required.optional();
    expect([required.required, optional.required, optional.optional().required]).toEqual([
      true,
      false,
      false,
    ]);
    expect(Object.isFrozen(required) && Object.isFrozen(optional)).toBe(true);
  });
});

describe('wrong arguments', () => {
  it.each<[string, () => unknown, { code: string; message?: unknown; next?: unknown }]>([
    ['secret.text() without an alias', () => secret.text(undefined as never), { code: 'NAME_INVALID' }],
    ['secret.bytes() with a number', () => secret.bytes(7 as never), { code: 'NAME_INVALID' }],
    [
      'secret.json() without an alias',
      () => secret.json(undefined as never),
      { code: 'NAME_INVALID', next: expect.stringContaining("secret.json('the-name')") },
    ],
    ['secret.tls() without arguments', () => secret.tls(undefined as never), { code: 'NAME_INVALID' }],
    [
      'secret.text() with a string for options',
      () => secret.text('one', 'ONE' as never),
      { code: 'OPTION_INVALID', message: expect.stringContaining('options of secret.text("one")') },
    ],
    [
      'secret.tls() with a string for options',
      () => secret.tls('one', 'x' as never),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.json() with options in place of a schema',
      () => secret.json('one', { env: 'ONE' } as never),
      { code: 'OPTION_INVALID', next: expect.stringContaining('Options are the third argument') },
    ],
    [
      'secret.json() with a function in place of a schema',
      () => secret.json('one', (() => 1) as never),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.json() with null as a schema',
      () => secret.json('one', null as never),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.text() with a misspelt option',
      () => secret.text('one', { trimm: 'none' } as never),
      { code: 'OPTION_UNKNOWN' },
    ],
    [
      'secret.text() with an unknown word for trim',
      () => secret.text('one', { trim: 'all' as never }),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.bytes() with an unknown encoding',
      () => secret.bytes('one', { encoding: 'hex' as never }),
      { code: 'OPTION_INVALID', message: expect.stringContaining("one of 'raw', 'base64', 'base64url'") },
    ],
    [
      'secret.text() with a number as a variable',
      () => secret.text('one', { env: [1] as never }),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.text() with an empty file name',
      () => secret.text('one', { file: '' }),
      { code: 'OPTION_INVALID' },
    ],
    [
      'secret.tls() with a part without an alias',
      () => secret.tls({ cert: { file: 'a' } as never, key: 'b' }),
      { code: 'OPTION_INVALID', next: "Write cert: 'the-name'." },
    ],
    [
      'secret.tls() with a misspelt place of a part',
      () => secret.tls({ cert: { alias: 'a', flie: 'x' } as never, key: 'b' }),
      { code: 'OPTION_UNKNOWN', next: 'Did you mean "file"?' },
    ],
    [
      'secret.tls() with a string for hostNames',
      () => secret.tls('a', { hostNames: 'x' as never }),
      { code: 'OPTION_INVALID' },
    ],
    ['secret.tls() with an empty object of parts', () => secret.tls({} as never), { code: 'OPTION_INVALID' }],
  ])('refuses %s', (_title, call, error) => {
    expect(call).toThrow(expect.objectContaining(error));
  });

  it('accepts options of secret.json() without a schema', async () => {
    const definition = secret.json('one', undefined, { env: 'OTHER' });
    expect(definition.lookups[0]?.env).toEqual(['OTHER']);
    expect(await decode(definition, '[1]')).toEqual([1]);
  });
});
