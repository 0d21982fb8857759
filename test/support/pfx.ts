import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  pbkdf2Sync,
  randomBytes,
} from 'node:crypto';
import { createRequire } from 'node:module';
import { explicit, integer, node, octets, oid, sequence } from './der';

/** The contents of a PKCS#12 file, and its encryption. */
export interface PfxContents {
  /** PEM: the leaf, then its chain. */
  readonly cert: string;
  /** PEM, EC or RSA. */
  readonly key: string;
  /** Default: `''`, as in files from Key Vault. */
  readonly password?: string;
  /**
   * `'aes256'` is what OpenSSL 3 and Windows write today, `'3des'` what older versions write. `'rc2-40'` encrypts the
   * certificates with a cipher that Node refuses. Default: `'aes256'`.
   */
  readonly encryption?: 'aes256' | '3des' | 'rc2-40';
}

/** The used parts of node-forge, which has no types. */
interface Forge {
  readonly md: Record<Digest, { create(): object }>;
  readonly rc2: {
    createEncryptionCipher(
      key: string,
      bits: number,
    ): { start(iv: string): void; update(input: object): void; finish(): boolean; output: ForgeBuffer };
  };
  readonly pkcs12: {
    generateKey(
      password: string,
      salt: object,
      id: number,
      count: number,
      bytes: number,
      digest: object,
    ): ForgeBuffer;
  };
  readonly util: { createBuffer(bytes: string): object };
}
interface ForgeBuffer {
  getBytes(): string;
}
type Digest = 'sha1' | 'sha256';
type Encrypt = (plain: Buffer, password: string) => { algorithm: Buffer; encrypted: Buffer };

const forge = createRequire(import.meta.url)('node-forge') as Forge;

const ITERATIONS = 2048;
const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  localKeyId: '1.2.840.113549.1.9.21',
  tripleDes: '1.2.840.113549.1.12.1.3',
  rc2With40Bits: '1.2.840.113549.1.12.1.6',
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256: '2.16.840.1.101.3.4.1.42',
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
};

/**
 * Writes a PKCS#12 file (RFC 7292) without the `openssl` command.
 *
 * @example
 * ```ts
 * const { chain, key } = await authority.issue();
 * const pfx = createPfx({ cert: chain, key, password: 'opens it', encryption: 'rc2-40' });
 * ```
 */
export function createPfx({ cert, key, password = '', encryption = 'aes256' }: PfxContents): Buffer {
  const [forCertificates, forKey, digest] = PROTECTION[encryption];
  const certificates = cert.match(/-----BEGIN CERTIFICATE-----[^-]+/g)?.map(pemToDer) ?? [];
  const pair = keyId(certificates[0]);

  const certBags = certificates.map((der, index) =>
    safeBag(OID.certBag, sequence(oid(OID.x509Certificate), explicit(octets(der))), index === 0 ? pair : []),
  );
  const sealedCerts = forCertificates(sequence(...certBags), password);
  const encryptedCerts = sequence(
    oid(OID.data),
    sealedCerts.algorithm,
    node(0x80, sealedCerts.encrypted), // [0] IMPLICIT OCTET STRING
  );

  const sealedKey = forKey(createPrivateKey(key).export({ format: 'der', type: 'pkcs8' }), password);
  const shrouded = sequence(sealedKey.algorithm, octets(sealedKey.encrypted));

  const safe = sequence(
    contentInfo(OID.encryptedData, sequence(integer(0), encryptedCerts)),
    contentInfo(OID.data, octets(sequence(safeBag(OID.shroudedKeyBag, shrouded, pair)))),
  );
  return sequence(integer(3), contentInfo(OID.data, octets(safe)), macData(safe, password, digest));
}

const encryptAes: Encrypt = (plain, password) => {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const derived = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
  const derivation = sequence(
    octets(salt),
    integer(ITERATIONS),
    sequence(oid(OID.hmacWithSha256), node(0x05)),
  );
  const cipher = createCipheriv('aes-256-cbc', derived, iv);
  return {
    algorithm: sequence(
      oid(OID.pbes2),
      sequence(sequence(oid(OID.pbkdf2), derivation), sequence(oid(OID.aes256), octets(iv))),
    ),
    encrypted: Buffer.concat([cipher.update(plain), cipher.final()]),
  };
};

const encryptTripleDes: Encrypt = (plain, password) => {
  const salt = randomBytes(8);
  const cipher = createCipheriv(
    'des-ede3-cbc',
    derive(password, salt, 'key', 24),
    derive(password, salt, 'iv', 8),
  );
  return {
    algorithm: sequence(oid(OID.tripleDes), sequence(octets(salt), integer(ITERATIONS))),
    encrypted: Buffer.concat([cipher.update(plain), cipher.final()]),
  };
};

// OpenSSL 3 keeps RC2 in its legacy provider, which Node does not load.
const encryptRc2: Encrypt = (plain, password) => {
  const salt = randomBytes(8);
  const cipher = forge.rc2.createEncryptionCipher(binary(derive(password, salt, 'key', 5)), 40);
  cipher.start(binary(derive(password, salt, 'iv', 8)));
  cipher.update(forge.util.createBuffer(binary(plain)));
  cipher.finish();
  return {
    algorithm: sequence(oid(OID.rc2With40Bits), sequence(octets(salt), integer(ITERATIONS))),
    encrypted: Buffer.from(cipher.output.getBytes(), 'binary'),
  };
};

const PROTECTION: Record<NonNullable<PfxContents['encryption']>, [Encrypt, Encrypt, Digest]> = {
  aes256: [encryptAes, encryptAes, 'sha256'],
  '3des': [encryptTripleDes, encryptTripleDes, 'sha1'],
  'rc2-40': [encryptRc2, encryptTripleDes, 'sha1'],
};

/** The key derivation of RFC 7292, appendix B. */
function derive(
  password: string,
  salt: Buffer,
  purpose: 'key' | 'iv' | 'mac',
  bytes: number,
  digest: Digest = 'sha1',
): Buffer {
  const id = { key: 1, iv: 2, mac: 3 }[purpose];
  const buffer = forge.util.createBuffer(binary(salt));
  const hash = forge.md[digest].create();
  const derived = forge.pkcs12.generateKey(password, buffer, id, ITERATIONS, bytes, hash);
  return Buffer.from(derived.getBytes(), 'binary');
}

function macData(safe: Buffer, password: string, digest: Digest): Buffer {
  const salt = randomBytes(8);
  const macKey = derive(password, salt, 'mac', digest === 'sha1' ? 20 : 32, digest);
  const mac = createHmac(digest, macKey).update(safe).digest();
  return sequence(
    sequence(sequence(oid(OID[digest]), node(0x05)), octets(mac)),
    octets(salt),
    integer(ITERATIONS),
  );
}

/** The attribute that links the key to its certificate. */
function keyId(certificate: Buffer | undefined): Buffer[] {
  if (certificate === undefined) return [];
  const id = createHash('sha1').update(certificate).digest();
  return [sequence(oid(OID.localKeyId), node(0x31, octets(id)))];
}

function safeBag(type: string, value: Buffer, attributes: readonly Buffer[]): Buffer {
  const set = attributes.length === 0 ? [] : [node(0x31, ...attributes)];
  return sequence(oid(type), explicit(value), ...set);
}

function contentInfo(type: string, content: Buffer): Buffer {
  return sequence(oid(type), explicit(content));
}

function pemToDer(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----/, ''), 'base64');
}

/** Forge works on strings of bytes. */
function binary(bytes: Buffer): string {
  return bytes.toString('binary');
}
