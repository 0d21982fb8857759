import { createPrivateKey } from 'node:crypto';
import { inspect } from 'node:util';
import { type SecretsErrorCode, secret } from 'hot-secrets';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Definition } from '../../../../src/definitions/definition';
import { type Authority, createAuthority, type Issued } from '../../../support/certificates';
import { createPfx } from '../../../support/pfx';

const DAY_MS = 86_400_000;
const PASSPHRASE = 'the words that open it';

let authority: Authority;
let pair: Issued;
let other: Issued;
let rsa: Issued;

beforeAll(async () => {
  authority = await createAuthority();
  pair = await authority.issue();
  other = await authority.issue();
  rsa = await authority.issue({ key: 'rsa' });
});

const two = secret.tls({ cert: 'tls.crt', key: 'tls.key' });
const withPassphrase = secret.tls({ cert: 'tls.crt', key: 'tls.key' }, { passphrase: 'words' });
const one = secret.tls('web-tls');
const oneWithPassphrase = secret.tls('web-tls', { passphrase: 'words' });
const withCa = secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' });
const trust = secret.tls({ ca: 'ca.crt' });

const encrypted = (key: string) =>
  createPrivateKey(key)
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
    .toString();
const issue = (from: number, to: number) =>
  authority.issue({ notBefore: new Date(Date.now() + from), notAfter: new Date(Date.now() + to) });
const publicKey = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';
const pfx = (password?: string) =>
  createPfx({ cert: rsa.chain, key: rsa.key, ...(password === undefined ? {} : { password }) });

type Case = [
  title: string,
  code: SecretsErrorCode,
  definition: Definition<unknown>,
  stored: () => (string | Buffer)[] | Promise<(string | Buffer)[]>,
];

const cases: Case[] = [
  ['the key of another certificate', 'PRIVATE_KEY_MISMATCH', two, () => [pair.chain, other.key]],
  ['a certificate of another generation', 'PRIVATE_KEY_MISMATCH', one, () => [other.chain + pair.key]],
  ['a key of another kind', 'PRIVATE_KEY_MISMATCH', two, () => [pair.chain, rsa.key]],
  ['two keys', 'PRIVATE_KEY_AMBIGUOUS', one, () => [pair.chain + pair.key + other.key]],
  ['two keys in two files', 'PRIVATE_KEY_AMBIGUOUS', two, () => [pair.chain + other.key, pair.key]],
  ['no key', 'PRIVATE_KEY_MISSING', one, () => [pair.chain]],
  ['the certificate in place of the key', 'PRIVATE_KEY_MISSING', two, () => [pair.chain, pair.chain]],
  ['a public key in place of the key', 'PRIVATE_KEY_MISSING', two, () => [pair.chain, publicKey]],
  ['no certificate', 'CERTIFICATE_MISSING', one, () => [pair.key]],
  ['the key in place of the certificate', 'CERTIFICATE_MISSING', two, () => [pair.key, pair.key]],
  ['a public key in place of the certificate', 'CERTIFICATE_MISSING', two, () => [publicKey, pair.key]],
  ['an empty certificate', 'VALUE_EMPTY', two, () => ['', pair.key]],
  ['an empty key', 'VALUE_EMPTY', two, () => [pair.chain, '']],
  [
    'garbage in place of the certificate',
    'CERTIFICATE_INVALID',
    two,
    () => ['no certificate, only words', pair.key],
  ],
  [
    'garbage in place of the key',
    'PRIVATE_KEY_INVALID',
    two,
    () => [pair.chain, Buffer.from([1, 2, 3, 255])],
  ],
  ['garbage in base64', 'CERTIFICATE_INVALID', one, () => [Buffer.from('no certificate').toString('base64')]],
  ['a certificate that is cut off', 'CERTIFICATE_INVALID', two, () => [pair.chain.slice(0, 200), pair.key]],
  ['a key that is cut off', 'PRIVATE_KEY_INVALID', two, () => [pair.chain, pair.key.slice(0, 100)]],
  [
    'a block cut off before the next one',
    'CERTIFICATE_INVALID',
    two,
    () => [pair.chain.slice(0, 200) + pair.chain, pair.key],
  ],
  [
    'a certificate that lacks a line',
    'CERTIFICATE_INVALID',
    two,
    () => [pair.chain.split('\n').toSpliced(3, 1).join('\n'), pair.key],
  ],
  [
    'a key that lacks a line',
    'PRIVATE_KEY_INVALID',
    two,
    () => [pair.chain, pair.key.split('\n').toSpliced(2, 1).join('\n')],
  ],
  [
    'an expired certificate',
    'CERTIFICATE_EXPIRED',
    two,
    async () => {
      const { chain, key } = await issue(-9 * DAY_MS, -DAY_MS);
      return [chain, key];
    },
  ],
  [
    'a certificate from the future',
    'CERTIFICATE_NOT_YET_VALID',
    two,
    async () => {
      const { chain, key } = await issue(DAY_MS, 9 * DAY_MS);
      return [chain, key];
    },
  ],
  ['an encrypted key and no passphrase', 'PASSPHRASE_MISSING', two, () => [pair.chain, encrypted(pair.key)]],
  [
    'the wrong passphrase',
    'PASSPHRASE_WRONG',
    withPassphrase,
    () => [pair.chain, encrypted(pair.key), 'nope'],
  ],
  ['a PFX and no password', 'PASSPHRASE_MISSING', one, () => [pfx(PASSPHRASE)]],
  ['a PFX whose password is wrong', 'PASSPHRASE_WRONG', oneWithPassphrase, () => [pfx(PASSPHRASE), 'nope']],
  [
    'a PFX of RC2 whose password is wrong',
    'PASSPHRASE_WRONG',
    oneWithPassphrase,
    () => [createPfx({ cert: rsa.chain, key: rsa.key, password: PASSPHRASE, encryption: 'rc2-40' }), 'nope'],
  ],
  ['a PFX that is cut off', 'CERTIFICATE_INVALID', one, () => [pfx().subarray(0, 300)]],
  ['a PFX that is damaged', 'PASSPHRASE_MISSING', one, () => [damaged(pfx())]],
  ['a PFX in a pair of files', 'PFX_INVALID', two, () => [pfx(), rsa.key]],
  ['an empty list of authorities', 'VALUE_EMPTY', withCa, () => [pair.chain, pair.key, '']],
  ['a key in place of authorities', 'CERTIFICATE_MISSING', withCa, () => [pair.chain, pair.key, pair.key]],
  ['garbage in place of authorities', 'CERTIFICATE_INVALID', trust, () => ['only words']],
];

/** A copy with one bit flipped where the MAC covers it. */
function damaged(whole: Buffer): Buffer {
  const copy = Buffer.from(whole);
  copy[120] = (copy[120] ?? 0) ^ 1;
  return copy;
}

describe('secret.tls', () => {
  it.each(cases)('refuses TLS material with %s: %s', async (_title, code, definition, stored) => {
    const parts = (await stored()).map((part) => Buffer.from(part as string));
    const error = await Promise.resolve()
      .then(() => definition.decode(parts))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, secret: expect.any(String) });
    const said = inspect(error, { depth: 9, showHidden: true });
    const secrets = [pair.key, other.key, rsa.key].flatMap((key) => key.split('\n').slice(1, -2));
    for (const part of [...secrets, PASSPHRASE]) expect(said).not.toContain(part);
  });
});

describe('an expired certificate', () => {
  it('serves an expired certificate with a warning if `expired` is "warn"', async () => {
    const { chain, key } = await issue(-9 * DAY_MS, -DAY_MS);
    const definition = secret.tls({ cert: 'tls.crt', key: 'tls.key' }, { expired: 'warn' });
    const value = await definition.decode([Buffer.from(chain), Buffer.from(key)]);
    expect(definition.warnings?.(value).map(({ code }) => code)).toEqual(['CERTIFICATE_EXPIRED']);
  });
});

describe('host names', () => {
  it('warns about host names that a certificate does not cover, with wildcards and addresses', async () => {
    const { chain, key } = await authority.issue({ hosts: ['*.example.test', '10.0.0.7'] });
    const warningsFor = async (...hostNames: string[]) => {
      const definition = secret.tls({ cert: 'tls.crt', key: 'tls.key' }, { hostNames });
      const value = await definition.decode([Buffer.from(chain), Buffer.from(key)]);
      return definition.warnings?.(value) ?? [];
    };
    expect(await warningsFor('api.example.test', '10.0.0.7')).toEqual([]);
    const [warning] = await warningsFor('api.example.test', 'example.test', '10.0.0.8');
    expect(warning?.code).toBe('CERTIFICATE_HOST_MISMATCH');
    expect(warning?.message).toContain('does not cover example.test, 10.0.0.8');
  });
});

describe('the arguments of secret.tls', () => {
  it.each([
    ['one half of a pair', () => secret.tls({ cert: 'tls.crt' } as never), 'OPTION_INVALID'],
    ['a misspelt part', () => secret.tls({ cert: 'a', kee: 'b' } as never), 'OPTION_UNKNOWN'],
    ['a misspelt option', () => secret.tls('a', { passfrase: 'b' } as never), 'OPTION_UNKNOWN'],
    ['an unknown word for expired', () => secret.tls('a', { expired: 'maybe' } as never), 'OPTION_INVALID'],
    [
      'an option that a definition of authorities does not have',
      () => secret.tls({ ca: 'a' }, { expired: 'warn' } as never),
      'OPTION_UNKNOWN',
    ],
    [
      'a path out of the mount',
      () => secret.tls({ cert: '../tls.crt', key: 'tls.key' }),
      'FILE_OUTSIDE_MOUNT',
    ],
  ])('refuses secret.tls() with %s', (_title, make, code) => {
    expect(make).toThrow(expect.objectContaining({ code }));
  });

  it('accepts places for each part of a TLS pair', () => {
    const { lookups } = secret.tls({
      cert: { alias: 'tls.crt', file: 'web/tls.pem', env: 'WEB_CERT' },
      key: 'tls.key',
    });
    expect(lookups.map(({ file, env }) => [file, env])).toEqual([
      ['web/tls.pem', ['WEB_CERT']],
      ['tls.key', ['TLS_KEY']],
    ]);
  });
});
