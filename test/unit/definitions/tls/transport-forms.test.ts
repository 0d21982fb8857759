import { createPrivateKey, randomBytes, scryptSync } from 'node:crypto';
import { secret, type TlsMaterial } from 'hot-secrets';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, type Issued } from '../../../support/certificates';
import { integer, node, octets, oid, sequence } from '../../../support/der';
import { createPfx } from '../../../support/pfx';

const PASSPHRASE = 'opens it';
let pair: Issued;
let rsa: Issued;

beforeAll(async () => {
  const authority = await createAuthority();
  pair = await authority.issue();
  rsa = await authority.issue({ key: 'rsa' });
});

const bytesOf = (stored: string | Buffer) => Buffer.from(stored as string);
const decode = async (stored: string | Buffer, passphrase?: string): Promise<TlsMaterial> =>
  passphrase === undefined
    ? secret.tls('web').decode([bytesOf(stored)])
    : secret.tls('web', { passphrase: 'words' }).decode([bytesOf(stored), bytesOf(passphrase)]);
const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
const swapped = (text: string) => Buffer.from(text, 'utf16le').swap16();
const inUnicode = (text: string) => text.replaceAll('+', '\\u002B').replaceAll('/', '\\/');

describe('PEM in the form that a transport gave it', () => {
  const forms: [string, (pem: string) => string | Buffer][] = [
    ['line breaks escaped once', (pem) => pem.replaceAll('\n', '\\n')],
    ['line breaks escaped twice', (pem) => pem.replaceAll('\n', '\\\\n')],
    ['line breaks of Windows escaped twice', (pem) => pem.replaceAll('\n', '\\\\r\\\\n')],
    ['line breaks of PowerShell', (pem) => pem.replaceAll('\n', '`r`n')],
    ['a backslash at line ends', (pem) => pem.replaceAll('\n', '\\\n')],
    ['a string of JSON', (pem) => JSON.stringify(pem)],
    ['a string of JSON in JSON in JSON', (pem) => JSON.stringify(JSON.stringify(JSON.stringify(pem)))],
    ['single quotes', (pem) => `'${pem}'`],
    ['characters escaped as in JSON of .NET and PHP', (pem) => inUnicode(pem.replaceAll('\n', '\\n'))],
    ['characters escaped as in HTML', (pem) => pem.replaceAll('+', '&#43;').replaceAll('\n', '&#xA;')],
    ['characters escaped as in URLs', (pem) => encodeURIComponent(pem)],
    ['characters escaped as in forms', (pem) => new URLSearchParams({ '': pem }).toString().slice(1)],
    ['UTF-16LE with a byte order mark', (pem) => Buffer.from(`\ufeff${pem}`, 'utf16le')],
    ['UTF-16BE with a byte order mark', (pem) => swapped(`\ufeff${pem}`)],
    ['UTF-16LE without a byte order mark', (pem) => Buffer.from(pem, 'utf16le')],
    ['invisible characters', (pem) => pem.replaceAll('\n', '\u200b\n\u00a0')],
    ['an indentation, as in YAML', (pem) => pem.replace(/^/gm, '    ')],
    ['no white space at all', (pem) => pem.replace(/\s/g, '')],
    ['base64 of UTF-16', (pem) => Buffer.from(`\ufeff${pem}`, 'utf16le').toString('base64')],
    ['base64 for URLs', (pem) => Buffer.from(pem).toString('base64url')],
    ['base64 in quotes', (pem) => `"${Buffer.from(pem).toString('base64')}"`],
    [
      'base64 with escaped line breaks',
      (pem) => Buffer.from(pem).toString('base64').replace(/.{76}/g, '$&\\n'),
    ],
    ['zero bytes at the end', (pem) => `${pem}\0\0`],
  ];

  it.each(forms)('reads a pair with %s', async (_title, form) => {
    const value = await decode(form(pair.chain + pair.key));
    expect([value.cert, value.key]).toEqual([pair.chain, pair.key]);
  });

  it.each([
    ['as it is', (key: string) => key],
    ['in one line', (key: string) => key.replaceAll('\n', ' ')],
    ['without its blank line', (key: string) => key.replace('\n\n', '\n')],
    ['with escaped line breaks', (key: string) => key.replaceAll('\n', '\\n')],
    ['without any line break', (key: string) => key.replaceAll('\n', '')],
    ['with CRLF', (key: string) => key.replaceAll('\n', '\r\n')],
  ])('reads a key in the old encryption format of OpenSSL, %s', async (_title, form) => {
    for (const cipher of ['aes-256-cbc', 'des-ede3-cbc']) {
      const key = createPrivateKey(rsa.key)
        .export({ type: 'pkcs1', format: 'pem', cipher, passphrase: PASSPHRASE })
        .toString();
      const value = await decode(rsa.chain + form(key), PASSPHRASE);
      expect(createPrivateKey(value.key as string).equals(createPrivateKey(rsa.key))).toBe(true);
    }
  });

  it.each([
    ['a newline', (pfx: Buffer) => Buffer.concat([pfx, Buffer.from('\n')])],
    ['zero bytes', (pfx: Buffer) => Buffer.concat([pfx, Buffer.alloc(7)])],
    ['an indefinite length (BER)', indefinite],
    [
      'an indefinite length and a newline',
      (pfx: Buffer) => Buffer.concat([indefinite(pfx), Buffer.from('\n')]),
    ],
    [
      'a label of PEM',
      (pfx: Buffer) => `-----BEGIN PKCS12-----\n${pfx.toString('base64')}\n-----END PKCS12-----`,
    ],
    ['the form of a data URL', (pfx: Buffer) => `data:application/x-pkcs12;base64,${pfx.toString('base64')}`],
    ['base64 in JSON', (pfx: Buffer) => JSON.stringify(pfx.toString('base64'))],
  ] as [string, (pfx: Buffer) => Buffer | string][])('reads a PFX with %s', async (_title, form) => {
    for (const encryption of ['aes256', 'rc2-40'] as const) {
      const pfx = createPfx({ cert: rsa.chain, key: rsa.key, password: PASSPHRASE, encryption });
      expect((await decode(form(pfx), PASSPHRASE)).leaf.raw).toEqual(der(rsa.cert));
    }
  });

  it('reads certificates in DER that follow each other', async () => {
    const value = await secret.tls({ ca: 'ca' }).decode([Buffer.concat([der(pair.cert), der(rsa.cert)])]);
    expect(value.ca).toEqual([pair.cert, rsa.cert]);
  });
});

/** The outer sequence as Bouncy Castle writes it. */
function indefinite(pfx: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x30, 0x80]), pfx.subarray(4), Buffer.alloc(2)]);
}

const codeOf = (stored: string | Buffer, passphrase?: string) =>
  decode(stored, passphrase).then(
    () => 'accepted',
    ({ code, message }) => `${code}: ${message}`,
  );
const encryptedWith = (algorithm: Buffer, encrypted = randomBytes(1216)) => {
  const body = sequence(algorithm, octets(encrypted)).toString('base64');
  return `${rsa.chain}-----BEGIN ENCRYPTED PRIVATE KEY-----\n${body}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
};
const pbes2 = (cipher: Buffer) => {
  const derivation = sequence(oid('1.2.840.113549.1.5.12'), sequence(octets(randomBytes(8)), integer(2048)));
  return sequence(oid('1.2.840.113549.1.5.13'), sequence(derivation, cipher));
};
const pbes1 = (scheme: string) => sequence(oid(scheme), sequence(octets(randomBytes(8)), integer(2048)));
const iv = (bytes: number) => octets(randomBytes(bytes));
const withHeaders = (info: string) =>
  `${rsa.chain}-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ${info}\n\n` +
  `${randomBytes(1216).toString('base64')}\n-----END RSA PRIVATE KEY-----\n`;

describe('a passphrase', () => {
  it.each([
    ['MD5 and DES', () => encryptedWith(pbes1('1.2.840.113549.1.5.3'))],
    ['RC2-40', () => encryptedWith(pbes1('1.2.840.113549.1.12.1.6'))],
    ['RC4-128', () => encryptedWith(pbes1('1.2.840.113549.1.12.1.1'))],
    ['DES', () => encryptedWith(pbes2(sequence(oid('1.3.14.3.2.7'), iv(8))))],
    ['Blowfish', () => encryptedWith(pbes2(sequence(oid('1.3.6.1.4.1.3029.1.2'), iv(8))))],
    [
      'CAST5',
      () => encryptedWith(pbes2(sequence(oid('1.2.840.113533.7.66.10'), sequence(iv(8), integer(128))))),
    ],
    ['DES-CBC', () => withHeaders(`DES-CBC,${'A1'.repeat(8)}`)],
    ['SEED-CBC', () => withHeaders(`SEED-CBC,${'A1'.repeat(16)}`)],
  ])(
    'names the cipher, and not the passphrase, of a key that is encrypted with %s',
    async (cipher, stored) => {
      const said = await codeOf(stored(), PASSPHRASE);
      expect(said).toContain('PRIVATE_KEY_UNSUPPORTED');
      expect(said).toContain(`is encrypted with ${cipher}, which OpenSSL 3 refuses`);
      expect(said).toContain('openssl pkey -provider legacy -provider default -in OLD -aes256 -out NEW');
    },
  );

  it('does not blame the passphrase of a key whose scrypt needs more memory than OpenSSL allows', async () => {
    const scrypt = sequence(
      oid('1.3.6.1.4.1.11591.4.11'),
      sequence(iv(8), node(0x02, Buffer.from([1, 0, 0])), integer(8), integer(1)),
    );
    // It would be a right key: 64 MB of memory derive it.
    scryptSync(PASSPHRASE, 'salt', 32, { N: 65_536, maxmem: 2 ** 27 });
    const scheme = sequence(scrypt, sequence(oid('2.16.840.1.101.3.4.1.42'), iv(16)));
    const said = await codeOf(encryptedWith(sequence(oid('1.2.840.113549.1.5.13'), scheme)), PASSPHRASE);
    expect(said).toContain('PRIVATE_KEY_UNSUPPORTED');
  });

  it.each([
    ['RC4-128', '1.2.840.113549.1.12.1.1'],
    ['RC2-128', '1.2.840.113549.1.12.1.5'],
    ['MD5 and DES', '1.2.840.113549.1.5.3'],
  ])(
    'names the cipher, and not the passphrase, of a PFX that is encrypted with %s',
    async (cipher, scheme) => {
      const { readLegacyPfx } = await import('../../../../src/definitions/tls/legacy-pfx');
      const pfx = sequence(integer(3), pbes1(scheme));
      expect(() => readLegacyPfx('web', pfx, PASSPHRASE, undefined, true)).toThrow(
        expect.objectContaining({ code: 'PFX_UNSUPPORTED', what: expect.stringContaining(cipher) }),
      );
    },
  );

  it.each([
    ['a vector that is cut off', () => withHeaders('AES-256-CBC,A1A1')],
    ['no vector', () => withHeaders('AES-256-CBC')],
    ['no cipher', () => withHeaders('')],
    [
      'a body that is cut off',
      () => withHeaders(`AES-256-CBC,${'A1'.repeat(16)}`).replace(/.{6}\n-----END RSA/, '\n-----END RSA'),
    ],
    [
      'one header only',
      () => withHeaders(`DES-EDE3-CBC,${'A1'.repeat(8)}`).replace('Proc-Type: 4,ENCRYPTED\n', ''),
    ],
    [
      'a PKCS#8 body that is cut off',
      () =>
        encryptedWith(pbes2(sequence(oid('2.16.840.1.101.3.4.1.42'), iv(16)))).replace(
          /.{400}\n-----END ENC/,
          '\n-----END ENC',
        ),
    ],
  ])('does not blame the passphrase of an encrypted key with %s', async (_title, stored) => {
    expect(await codeOf(stored(), PASSPHRASE)).toMatch(/^(PRIVATE_KEY|CERTIFICATE)_INVALID/);
  });

  it('reports every passphrase that does not decrypt a key as wrong', async () => {
    const key = createPrivateKey(rsa.key)
      .export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
      .toString();
    const said = new Set<string>();
    // Some wrong passphrases result in valid padding by chance.
    for (let round = 0; round < 300; round += 1) {
      said.add((await codeOf(rsa.chain + key, `wrong ${round}`)).split(':', 1)[0] as string);
    }
    expect([...said]).toEqual(['PASSPHRASE_WRONG']);
  });
});

describe('a file of another kind', () => {
  const block = (label: string) => `-----BEGIN ${label}-----\nMIIB\n-----END ${label}-----\n`;
  const request = () =>
    sequence(sequence(integer(0), sequence(node(0x31)), sequence(iv(100))), sequence(iv(100)));
  it.each([
    ['a Java keystore (JKS)', 'keytool', () => Buffer.from('feedfeed0000000200000001', 'hex')],
    [
      'a Java keystore (JKS)',
      'keytool',
      () => Buffer.from('feedfeed0000000200000001', 'hex').toString('base64'),
    ],
    ['a Java keystore (JCEKS)', 'keytool', () => Buffer.from('cececece0000000200000001', 'hex')],
    ['a PKCS#7 container', 'openssl pkcs7', () => block('PKCS7')],
    [
      'a PKCS#7 container',
      'openssl pkcs7',
      () => sequence(oid('1.2.840.113549.1.7.2'), node(0xa0, sequence(iv(150)))),
    ],
    ['a certificate signing request', 'issuer', () => block('CERTIFICATE REQUEST')],
    ['a certificate signing request', 'issuer', () => block('NEW CERTIFICATE REQUEST')],
    ['a certificate signing request', 'issuer', () => request()],
    ['a private key in the format of OpenSSH', 'ssh-keygen -p -m PEM', () => block('OPENSSH PRIVATE KEY')],
    ['a private key in the format of PuTTY', 'puttygen', () => 'PuTTY-User-Key-File-3: ssh-ed25519\n'],
    ['a public key in the format of OpenSSH', 'private key', () => 'ssh-ed25519 AAAAC3Nza me@host\n'],
    ['a list of revoked certificates', 'certificates', () => block('X509 CRL')],
    [
      'an OpenPGP message',
      'gpg',
      () => '-----BEGIN PGP MESSAGE-----\nVersion: 1\n\nhQ==\n=abcd\n-----END PGP MESSAGE-----',
    ],
    ['a JSON web key', 'PEM', () => '{"kty":"RSA","n":"AQAB"}'],
    ['a web page', 'login page', () => '<!DOCTYPE html><html></html>'],
    ['a Kubernetes manifest', 'decoded value', () => 'apiVersion: v1\nkind: Secret\n'],
    ['a PKCS#12 truststore', 'openssl pkcs12', () => createPfx({ cert: rsa.chain, key: rsa.key })],
  ] as [string, string, () => string | Buffer][])(
    'names %s where authorities are expected, with a way out (%s)',
    async (what, next, stored) => {
      const error = await Promise.resolve()
        .then(() => secret.tls({ ca: 'ca.crt' }).decode([bytesOf(stored())]))
        .catch((thrown) => thrown);
      expect(error.what).toContain(what);
      expect(error.next).toContain(next);
      expect(error.secret).toBe('ca.crt');
    },
  );

  it('names a file of another kind with the half of the pair that it was stored as', async () => {
    const definition = secret.tls({ cert: 'tls.crt', key: 'tls.key' });
    const refused = (cert: string, key: string) =>
      Promise.resolve()
        .then(() => definition.decode([bytesOf(cert), bytesOf(key)]))
        .catch(({ code, what }) => `${code}: ${what}`);
    expect(await refused(pair.chain, block('OPENSSH PRIVATE KEY'))).toBe(
      'PRIVATE_KEY_INVALID: "tls.key" is a private key in the format of OpenSSH',
    );
    expect(await refused(block('CERTIFICATE REQUEST'), pair.key)).toBe(
      'CERTIFICATE_MISSING: "tls.crt" has a certificate signing request, but no certificate',
    );
  });

  it('accepts a pair with its signing request and public key', async () => {
    const value = await decode(block('CERTIFICATE REQUEST') + block('PUBLIC KEY') + pair.chain + pair.key);
    expect(value.key).toBe(pair.key);
  });
});
