import { secret } from 'hot-secrets';
import { type DiagnoseOptions, describeFinding } from 'hot-secrets/doctor';
import type { TestMountContent } from 'hot-secrets/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority, type Issued, SECP256K1 } from '../support/certificates';
import { complaints, examine, mountOf } from '../support/doctor-stage';
import { createPfx } from '../support/pfx';

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

let authority: Authority;
let lower: Authority;
let web: Issued;
let other: Issued;

beforeAll(async () => {
  authority = await createAuthority();
  lower = await authority.intermediate();
  web = await lower.issue({ hosts: ['shop.example'] });
  other = await lower.issue({ hosts: ['other.example'] });
});

/** A line of the key that no output may have. */
const lineOf = (key: string) => key.split('\n')[1] as string;

async function examined(content: TestMountContent, options: DiagnoseOptions = {}) {
  const { path } = await mountOf(content);
  return examine({
    options: { mounts: [path], ...options },
    values: [lineOf(web.key), lineOf(other.key)],
  });
}

/** The codes that the doctor has for files, once as they lie there and once declared. */
type Row = readonly [set: string, build: () => Promise<TestMountContent>, code: string, next: RegExp];

const dates = async (notBefore: Date | undefined, notAfter: Date): Promise<TestMountContent> => {
  const issued = await lower.issue({ notAfter, ...(notBefore && { notBefore }) });
  return { 'tls.crt': issued.chain, 'tls.key': issued.key };
};

const BROKEN: readonly Row[] = [
  ['expired', () => dates(inDays(-90), inDays(-1)), 'CERTIFICATE_EXPIRED', /Renew it/],
  ['is not valid yet', () => dates(inDays(2), inDays(90)), 'CERTIFICATE_NOT_YET_VALID', /clocks/],
  ['expires soon', () => dates(inDays(-300), inDays(5)), 'VALUE_EXPIRING', /Renew it/],
  [
    'has the key of another',
    async () => ({ 'tls.crt': web.chain, 'tls.key': other.key }),
    'PRIVATE_KEY_MISMATCH',
    /issued together/,
  ],
  [
    'has an intermediate that expired',
    async () => {
      const expired = await authority.intermediate('Old Intermediate', { notAfter: inDays(-1) });
      const issued = await expired.issue();
      return { 'tls.crt': issued.chain, 'tls.key': issued.key };
    },
    'CERTIFICATE_EXPIRED',
    /current chain/,
  ],
  [
    'has the chain of a namesake',
    async () => {
      const namesake = await authority.intermediate();
      return { 'tls.crt': web.cert + namesake.cert, 'tls.key': web.key };
    },
    'CERTIFICATE_CHAIN_BROKEN',
    /chain that came with/,
  ],
  [
    'has a certificate that does not belong to it',
    async () => {
      const stranger = await createAuthority('Stranger');
      return { 'tls.crt': web.chain + stranger.cert, 'tls.key': web.key };
    },
    'CERTIFICATE_UNRELATED',
    /chain that came with/,
  ],
  [
    'is on a curve that TLS does not offer',
    async () => ({ 'tls.crt': SECP256K1.cert, 'tls.key': SECP256K1.key }),
    'CERTIFICATE_KEY_UNSUPPORTED',
    /P-256/,
  ],
  [
    'is truncated',
    async () => ({ 'tls.crt': web.cert.slice(0, 200), 'tls.key': web.key }),
    'CERTIFICATE_INVALID',
    /whole file/,
  ],
  [
    'has a key that is truncated',
    async () => ({ 'tls.crt': web.chain, 'tls.key': web.key.slice(0, 60) }),
    'PRIVATE_KEY_INVALID',
    /whole file/,
  ],
];

describe('the doctor on a broken certificate', () => {
  it.each(BROKEN)('names the fault and its fix when a certificate %s', async (_set, build, code, next) => {
    const content = await build();
    const secrets = { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) };
    for (const options of [{ secrets }, {}]) {
      const diagnosis = await examined(content, options);
      expect(complaints(diagnosis)).toContain(code);
      const finding = diagnosis.findings.find((one) => one.code === code);
      expect(describeFinding(finding as never).next).toMatch(next);
      if (!code.endsWith('INVALID')) expect(complaints(diagnosis)).toEqual([code]);
    }
  });

  it('names PEM in quotes', async () => {
    const diagnosis = await examined({ 'jwt-key': `"${web.key}"` });
    expect(complaints(diagnosis)).toEqual(['VALUE_QUOTED']);
  });

  it('names a certificate that was mounted as objectType cert, without its key', async () => {
    const diagnosis = await examined({ web: web.cert, 'ca.crt': authority.cert });
    expect(complaints(diagnosis)).toEqual(['PRIVATE_KEY_MISSING']);
    expect(describeFinding(diagnosis.findings[0] as never).next).toContain('objectType: secret');
  });

  it('names a PFX that is read as text, and reads it where it is declared', async () => {
    const pfx = createPfx({ cert: web.chain, key: web.key }).toString('base64');
    const diagnosis = await examined({ web: pfx });
    expect(complaints(diagnosis)).toEqual(['VALUE_PFX_TEXT']);
    expect(describeFinding(diagnosis.findings[0] as never).next).toContain("secret.tls('name')");
    expect(complaints(await examined({ web: pfx }, { secrets: { web: secret.tls('web') } }))).toEqual([]);
  });

  it('names PEM whose line breaks are written as \\n', async () => {
    const escaped = web.key.replaceAll('\n', '\\n');
    expect(complaints(await examined({ 'jwt-key': escaped }))).toEqual(['VALUE_NEWLINES_ESCAPED']);
    const secrets = { jwt: secret.key('jwt-key') };
    expect(complaints(await examined({ 'jwt-key': escaped }, { secrets }))).toEqual([]);
  });

  it('names host names that the certificate does not cover, and a missing passphrase', async () => {
    const pair = { 'tls.crt': web.chain, 'tls.key': web.key };
    const secrets = {
      web: secret.tls(
        { cert: 'tls.crt', key: 'tls.key' },
        { hostNames: ['shop.example', 'www.shop.example'] },
      ),
    };
    expect(complaints(await examined(pair, { secrets }))).toEqual(['CERTIFICATE_HOST_MISMATCH']);
    const locked = { 'web.pfx': createPfx({ cert: web.chain, key: web.key, password: 'opens it' }) };
    const undeclared = await examined(locked);
    expect(complaints(undeclared)).toEqual([]);
    expect(undeclared.findings.map(({ code }) => code)).toContain('PASSPHRASE_MISSING');
    const declared = await examined(locked, { secrets: { web: secret.tls('web.pfx') } });
    expect(complaints(declared)).toEqual(['PASSPHRASE_MISSING']);
  });
});

describe('the doctor on sound certificates', () => {
  it.each([
    [
      'a pair with its chain and authorities',
      async () => ({ 'tls.crt': web.chain, 'tls.key': web.key, 'ca.crt': authority.cert }),
    ],
    [
      'two pairs',
      async () => ({
        'web-cert.pem': web.chain,
        'web-key.pem': web.key,
        'api.crt': other.chain,
        'api.key': other.key,
      }),
    ],
    [
      'pairs whose names say nothing',
      async () => ({ a: web.chain, b: other.key, c: other.chain, d: web.key }),
    ],
    ['one PEM from Key Vault, key first', async () => ({ web: web.key + web.chain })],
    ['a PFX', async () => ({ 'web.pfx': createPfx({ cert: web.chain, key: web.key }) })],
    [
      'PEM with the lines of Windows',
      async () => ({ 'tls.crt': web.chain.replaceAll('\n', '\r\n'), 'tls.key': web.key }),
    ],
    [
      'a certificate of a day that was just issued',
      async () => {
        const short = await lower.issue({ notBefore: new Date(Date.now() - 3_600_000), notAfter: inDays(1) });
        return { 'tls.crt': short.chain, 'tls.key': short.key };
      },
    ],
    ['a key for tokens', async () => ({ 'jwt-key': web.key })],
  ])('finds nothing to fix in %s', async (_set, build) => {
    expect(complaints(await examined(await build()))).toEqual([]);
  });
});
