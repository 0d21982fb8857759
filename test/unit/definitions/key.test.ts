import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { inspect } from 'node:util';
import { memory, SecretStore, type StandardSchema, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';

const pem = { type: 'pkcs8', format: 'pem' } as const;
const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pem).toString();
const KEY = newKey();
const ENCRYPTED = createPrivateKey(KEY)
  .export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'opens it' })
  .toString();

const open = (stored: string | Buffer, words?: string) =>
  SecretStore.open({
    secrets: { jwt: secret.key('jwt-key', words === undefined ? {} : { passphrase: 'words' }) },
    sources: [memory({ 'jwt-key': stored, words })],
  });

describe('secret.key', () => {
  it.each([
    ['PEM', KEY],
    ['PEM with escaped line breaks', KEY.replaceAll('\n', '\\n')],
    ['PEM whose line breaks became spaces', KEY.replaceAll('\n', ' ')],
    ['PEM in base64', Buffer.from(KEY).toString('base64')],
    ['PEM in UTF-16', Buffer.from(`\ufeff${KEY}`, 'utf16le')],
    ['PEM in JSON', JSON.stringify(KEY)],
    ['DER', createPrivateKey(KEY).export({ type: 'pkcs8', format: 'der' })],
  ])('reads a private key as %s', async (_title, stored) => {
    await using store = await open(stored);
    const { key, keyObject } = store.reveal('jwt');
    expect(key).toBe(KEY);
    const signature = sign('sha256', Buffer.from('token'), keyObject);
    expect(verify('sha256', Buffer.from('token'), createPublicKey(key), signature)).toBe(true);
  });

  it.each(['ec', 'ed25519', 'x25519'])('reads a private key of the type %s', async (type) => {
    const { privateKey } = generateKeyPairSync(type as 'ec', { namedCurve: 'P-256' });
    await using store = await open(privateKey.export(pem) as string);
    expect(store.reveal('jwt').keyObject.asymmetricKeyType).toBe(type);
  });

  it('decrypts a private key with its passphrase', async () => {
    await using store = await open(ENCRYPTED, 'opens it\n');
    expect(store.reveal('jwt').key).toBe(KEY);
  });

  it.each([
    ['a key that is cut off', KEY.slice(0, 900), 'PRIVATE_KEY_INVALID'],
    ['an empty value', '', 'VALUE_EMPTY'],
    ['other text', 'no key at all', 'PRIVATE_KEY_INVALID'],
    ['two keys', KEY + newKey(), 'PRIVATE_KEY_AMBIGUOUS'],
    ['an encrypted key without its passphrase', ENCRYPTED, 'PASSPHRASE_MISSING'],
    [
      'a public key',
      createPublicKey(KEY).export({ type: 'spki', format: 'pem' }) as string,
      'PRIVATE_KEY_MISSING',
    ],
  ])('keeps the good key, and never shows the bad one, for %s', async (_title, bad, code) => {
    const source = memory({ 'jwt-key': KEY });
    await using store = await SecretStore.open({
      secrets: { jwt: secret.key('jwt-key') },
      sources: [source],
    });
    const log = record(store);
    source.set({ 'jwt-key': bad });
    await store.refresh();
    expect(store.reveal('jwt').key).toBe(KEY);
    expect([log.codes(), store.health().status]).toEqual([[code], 'degraded']);
    for (const line of bad.split('\n').filter((one) => one.length > 40)) {
      expect(inspect(log, { depth: 9 })).not.toContain(line);
    }
    const next = newKey();
    source.set({ 'jwt-key': next });
    await store.refresh();
    expect([store.reveal('jwt').key, store.health().status]).toEqual([next, 'ok']);
  });

  it('masks a private key whole and line by line', async () => {
    await using store = await open(KEY);
    for (const line of KEY.trim().split('\n').slice(1, -1)) {
      expect(store.redact(`read ${line}`)).toBe('read [secret jwt]');
    }
    expect(store.redact(JSON.stringify({ key: KEY }))).not.toContain(KEY.slice(40, 80));
  });

  it('refuses options that it does not have', () => {
    expect(() => secret.key('a', { passfrase: 'b' } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN' }),
    );
    expect(() => secret.key('a', { passphrase: 7 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });
});

/** A Standard Schema of URLs. */
const urls: StandardSchema<URL> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) =>
      URL.canParse(String(value)) ? { value: new URL(String(value)) } : { issues: [{ path: [] }] },
  },
};
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('secret.text', () => {
  it('returns the output of its schema, and keeps the last value when the schema refuses the next', async () => {
    const source = memory({ url: 'https://a.example\n' });
    await using store = await SecretStore.open({
      secrets: { url: secret.text('url', { schema: urls }) },
      sources: [source],
    });
    const log = record(store);
    expect(store.reveal('url').host).toBe('a.example');
    source.set({ url: 'not-a-url-but-a-secret' });
    await store.refresh();
    expect(store.reveal('url').host).toBe('a.example');
    expect(log.codes()).toEqual(['VALUE_REFUSED']);
    expect(inspect(log, { depth: 9 })).not.toContain('not-a-url-but-a-secret');
  });

  it.each([
    ['base64', base64('pässword?>\n')],
    ['base64', `${base64('pässword?>')}\n`],
    ['base64url', Buffer.from('pässword?>').toString('base64url')],
  ] as const)('decodes %s, then removes the final newline', async (encoding, stored) => {
    expect(await secret.text('a', { encoding }).decode([Buffer.from(stored)])).toBe('pässword?>');
  });

  it('refuses a schema that is none, and text that is not base64', () => {
    expect(() => secret.text('a', { schema: {} } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    expect(() => secret.text('a', { encoding: 'base64' }).decode([Buffer.from('päss')])).toThrow(
      expect.objectContaining({ code: 'VALUE_NOT_BASE64' }),
    );
    expect(() => secret.text('a', { encoding: 'base64' }).decode([Buffer.from('/w==')])).toThrow(
      expect.objectContaining({ code: 'VALUE_NOT_UTF8' }),
    );
  });
});

describe('secret.json', () => {
  it('decodes JSON in base64', async () => {
    const stored = Buffer.from(base64('{"a":1}'));
    expect(await secret.json('a', undefined, { encoding: 'base64' }).decode([stored])).toEqual({ a: 1 });
  });
});
