import { secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import type { Definition } from '../../../src/definitions/definition';

const decode = async <T>(definition: Definition<T>, value: string | Uint8Array): Promise<T> =>
  definition.decode([Buffer.from(value as string)]);
const refused = (code: string) => expect.objectContaining({ code, secret: 'one' });

describe('text', () => {
  it.each([
    ['value\n', 'value'],
    ['value\r\n', 'value'],
    ['value\n\n', 'value\n'],
    ['value\r', 'value\r'],
    [' value ', ' value '],
    ['two\nlines\n', 'two\nlines'],
    ['grün 🔑', 'grün 🔑'],
    ['\ufeffvalue', '\ufeffvalue'],
  ])('loses one trailing line break at most: %j', async (stored, value) => {
    expect(await decode(secret.text('one'), stored)).toBe(value);
  });

  it('loses nothing where it is told to', async () => {
    expect(await decode(secret.text('one', { trim: 'none' }), 'value\r\n')).toBe('value\r\n');
  });

  it('is refused where it is empty or no UTF-8', async () => {
    await expect(decode(secret.text('one'), '\r\n')).rejects.toThrow(refused('VALUE_EMPTY'));
    await expect(decode(secret.text('one'), Uint8Array.of(0xc3, 0x28))).rejects.toThrow(
      refused('VALUE_NOT_UTF8'),
    );
  });
});

describe('bytes', () => {
  it('are a copy of their own, untouched', async () => {
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
  ] as const)('are decoded from %s %j', async (encoding, stored, value) => {
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
  ] as const)('are refused where they are no %s: %j', async (encoding, stored) => {
    await expect(decode(secret.bytes('one', { encoding }), stored)).rejects.toThrow(
      refused('VALUE_NOT_BASE64'),
    );
  });

  it('are refused where there are none', async () => {
    await expect(decode(secret.bytes('one'), '')).rejects.toThrow(refused('VALUE_EMPTY'));
    await expect(decode(secret.bytes('one', { encoding: 'base64' }), ' \n')).rejects.toThrow(
      refused('VALUE_EMPTY'),
    );
  });
});

describe('a definition', () => {
  it('derives where it is looked for from its alias', () => {
    const [wanted] = secret.text('db/primary/tls.crt').lookups;
    expect(wanted).toEqual({
      name: 'db/primary/tls.crt',
      file: 'db/primary/tls.crt',
      env: ['DB_PRIMARY_TLS_CRT'],
      vault: 'db-primary-tls-crt',
    });
    expect(secret.text('2fa-key').lookups[0]?.env).toEqual(['_2FA_KEY']);
  });

  it('takes other places, and none where it is told so', () => {
    const [wanted] = secret.text('one', { file: 'other/file', env: [] }).lookups;
    expect(wanted).toMatchObject({ name: 'one', file: 'other/file', env: [] });
    expect(secret.text('one', { env: ['A', 'B'] }).lookups[0]?.env).toEqual(['A', 'B']);
  });

  it('is made optional without touching the one it came from', () => {
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
