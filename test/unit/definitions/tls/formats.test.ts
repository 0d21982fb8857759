import { createPrivateKey, X509Certificate } from 'node:crypto';
import { secret, type TlsMaterial } from 'hot-secrets';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, createAuthority, type Issued } from '../../../support/certificates';
import { handshake } from '../../../support/handshake';
import { createPfx } from '../../../support/pfx';

let authority: Authority;
let middle: Authority;
/** Issued by the intermediate authority: leaf and one issuer. */
let pair: Issued;
let rsa: Issued;

beforeAll(async () => {
  authority = await createAuthority();
  middle = await authority.intermediate();
  pair = await middle.issue({ hosts: ['localhost'] });
  rsa = await authority.issue({ hosts: ['localhost'], key: 'rsa' });
});

const pem = (text: string) => Buffer.from(text);
const der = (text: string) => Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const blocks = (text: string) => text.match(/-----BEGIN[\s\S]+?-----END [A-Z ]+-----\n?/g) as string[];
const decodePair = (cert: Buffer, key: Buffer) =>
  secret.tls({ cert: 'tls.crt', key: 'tls.key' }).decode([cert, key]);
const decodeOne = (stored: Buffer) => secret.tls('web-tls').decode([stored]);
const encrypted = (key: string, type: 'pkcs1' | 'pkcs8' | 'sec1') =>
  createPrivateKey(key)
    .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'opens it' } as never)
    .toString();

/** Expects that a client which trusts only the root accepts the value. */
async function expectServes(value: TlsMaterial, { cert }: Issued): Promise<void> {
  const { serialNumber } = new X509Certificate(cert);
  expect(value.leaf.serialNumber).toBe(serialNumber);
  const { error, peer } = await handshake(value, { ca: authority.cert, servername: 'localhost' });
  expect(error).toBeUndefined();
  expect(peer?.serialNumber).toBe(serialNumber);
}

describe('secret.tls, of two files', () => {
  const cases: [string, () => [Buffer, Buffer]][] = [
    ['PEM files', () => [pem(pair.chain), pem(pair.key)]],
    [
      'PEM files with CRLF',
      () => [pem(pair.chain.replaceAll('\n', '\r\n')), pem(pair.key.replaceAll('\n', '\r\n'))],
    ],
    ['PEM files without a final newline', () => [pem(pair.chain.trimEnd()), pem(pair.key.trimEnd())]],
    ['PEM files with a byte order mark', () => [pem(`\ufeff${pair.chain}`), pem(`\ufeff${pair.key}`)]],
    [
      'PEM files with \\n as two characters',
      () => [pem(pair.chain.replaceAll('\n', '\\n')), pem(pair.key.replaceAll('\n', '\\n'))],
    ],
    [
      'PEM files whose line breaks became spaces',
      () => [pem(pair.chain.replaceAll('\n', ' ')), pem(pair.key.replaceAll('\n', ' '))],
    ],
    [
      'PEM files as base64 text',
      () => [pem(pem(pair.chain).toString('base64')), pem(`${pem(pair.key).toString('base64')}\n`)],
    ],
    [
      'a PEM file in base64 twice',
      () => [pem(pem(pem(pair.chain).toString('base64')).toString('base64')), pem(pair.key)],
    ],
    [
      'PEM files with text around the blocks, as openssl writes it',
      () => [
        pem(`subject=CN = x\n${pair.chain}\nissuer=CN = y\n`),
        pem(`Bag Attributes: <No Attributes>\n${pair.key}`),
      ],
    ],
    [
      'PEM files with the chain before the leaf',
      () => [pem(blocks(pair.chain).reverse().join('')), pem(pair.key)],
    ],
    ['PEM files with the root in the chain', () => [pem(authority.cert + pair.chain), pem(pair.key)]],
    ['PEM files with each certificate twice', () => [pem(pair.chain + pair.chain), pem(pair.key)]],
    ['PEM files with the key in both', () => [pem(pair.key + pair.chain), pem(pair.key)]],
    [
      'PEM files with a SEC1 key',
      () => [
        pem(pair.chain),
        pem(createPrivateKey(pair.key).export({ type: 'sec1', format: 'pem' }).toString()),
      ],
    ],
    [
      'PEM files with a SEC1 key after its parameters',
      () => [
        pem(pair.chain),
        pem(
          `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${createPrivateKey(pair.key).export({ type: 'sec1', format: 'pem' })}`,
        ),
      ],
    ],
  ];

  it.each(cases)('reads a TLS pair from %s', async (_title, stored) => {
    await expectServes(await decodePair(...stored()), pair);
  });

  it.each([
    ['pkcs8', 'PRIVATE KEY'],
    ['pkcs1', 'RSA PRIVATE KEY'],
  ] as const)('reads a TLS pair from DER files with a %s key', async (type, label) => {
    const key = createPrivateKey(rsa.key).export({ type, format: 'der' });
    const value = await decodePair(der(rsa.cert), key);
    expect(value.key).toContain(`-----BEGIN ${label}-----`);
    await expectServes(value, rsa);
  });

  it('reads a TLS pair from DER files with a SEC1 key', async () => {
    const direct = await authority.issue({ hosts: ['localhost'] });
    const key = createPrivateKey(direct.key).export({ type: 'sec1', format: 'der' });
    await expectServes(await decodePair(der(direct.cert), key), direct);
  });

  it.each(['pkcs8', 'pkcs1', 'sec1'] as const)(
    'opens an encrypted %s key with its passphrase',
    async (type) => {
      const issued = type === 'sec1' ? pair : rsa;
      const definition = secret.tls({ cert: 'tls.crt', key: 'tls.key' }, { passphrase: 'tls-passphrase' });
      expect(definition.lookups.map(({ name }) => name)).toEqual(['tls.crt', 'tls.key', 'tls-passphrase']);
      const stored = [pem(issued.chain), pem(encrypted(issued.key, type)), pem('opens it\n')];
      const value = await definition.decode(stored);
      expect(value.key).not.toContain('ENCRYPTED');
      await expectServes(value, issued);
    },
  );

  it('returns each certificate to trust together with the pair', async () => {
    const other = await createAuthority();
    const definition = secret.tls({ cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt' });
    const value = await definition.decode([pem(pair.chain), pem(pair.key), pem(authority.cert + other.cert)]);
    expect(value.ca?.map((one) => new X509Certificate(one).fingerprint256)).toEqual(
      [authority, other].map(({ cert }) => new X509Certificate(cert).fingerprint256),
    );
  });
});

describe('secret.tls, of one value', () => {
  it.each([
    ['the key first, as Key Vault writes it', () => pair.key + pair.chain],
    ['the key last', () => pair.chain + pair.key],
    ['the issuer before the leaf', () => blocks(pair.chain).reverse().join('') + pair.key],
    ['the key between the certificates', () => blocks(pair.chain).join(pair.key)],
  ])('reads a TLS pair from one PEM with %s', async (_title, stored) => {
    const value = await decodeOne(pem(stored()));
    expect(blocks(value.cert ?? '')).toHaveLength(2);
    await expectServes(value, pair);
  });

  it.each([
    ['in binary', undefined, (pfx: Buffer) => pfx],
    ['as base64 text', undefined, (pfx: Buffer) => pem(pfx.toString('base64'))],
    [
      'as base64 in lines',
      undefined,
      (pfx: Buffer) => pem(pfx.toString('base64').replace(/.{64}/g, '$&\r\n')),
    ],
    ['with a password', 'opens it', (pfx: Buffer) => pfx],
  ])('reads a TLS pair from a PFX %s', async (_title, password, store) => {
    for (const encryption of ['aes256', '3des', 'rc2-40'] as const) {
      const pfx = createPfx({ cert: rsa.chain, key: rsa.key, encryption, ...(password ? { password } : {}) });
      const definition = secret.tls('web-tls', password ? { passphrase: 'web-tls-password' } : {});
      const value = await definition.decode([store(pfx), ...(password ? [pem(password)] : [])]);
      // Node would also trust the authorities in a `pfx`.
      expect(Object.keys(value)).toEqual(['cert', 'key', 'leaf']);
      await expectServes(value, rsa);
    }
  });

  it('reports the expiries of the leaf and the chain of a PFX', async () => {
    for (const encryption of ['aes256', 'rc2-40'] as const) {
      const definition = secret.tls('web-tls');
      const value = await definition.decode([createPfx({ cert: pair.chain, key: pair.key, encryption })]);
      expect(definition.expiries?.(value).map(({ what }) => what)).toEqual(['leaf', 'chain']);
      await expectServes(value, pair);
    }
  });
});

describe('the expiries of secret.tls', () => {
  it('returns expiry dates that a caller can change without affecting others', async () => {
    const definition = secret.tls('web-tls');
    const value = await definition.decode([pem(pair.key + pair.chain)]);
    for (const { expiresAt } of definition.expiries?.(value) ?? []) expiresAt.setTime(0);
    expect(definition.expiries?.(value).map(({ expiresAt }) => expiresAt.getTime())).not.toContain(0);
  });
});

describe('secret.tls, of several certificates', () => {
  it('serves the newer of two certificates with the same key', async () => {
    const renewed = await middle.issue({
      hosts: ['localhost'],
      notBefore: new Date(Date.now() - 60_000),
      renews: pair,
    });
    await expectServes(await decodeOne(pem(pair.key + pair.cert + renewed.chain)), renewed);
  });

  it('leaves out certificates outside the chain of the leaf, with a warning', async () => {
    const stranger = await createAuthority();
    const definition = secret.tls('web-tls');
    const value = await definition.decode([pem(pair.key + stranger.cert + pair.chain)]);
    expect(blocks(value.cert ?? '')).toHaveLength(2);
    expect(definition.warnings?.(value).map(({ code }) => code)).toEqual(['CERTIFICATE_UNRELATED']);
    await expectServes(value, pair);
  });
});

describe('secret.tls, of certificates to trust', () => {
  it('reads certificates to trust from PEM, DER and base64, and leaves them readable in logs', async () => {
    const definition = secret.tls({ ca: 'ca.crt' });
    for (const stored of [
      pem(authority.cert),
      der(authority.cert),
      pem(der(authority.cert).toString('base64')),
    ]) {
      const { ca } = await definition.decode([stored]);
      expect(ca.map((one) => new X509Certificate(one).subject)).toEqual([
        new X509Certificate(authority.cert).subject,
      ]);
      expect(definition.sensitive?.({ ca })).toEqual([]);
    }
  });
});
