import { builtin } from '../../internal/builtins';
import { pemOf } from './parts';

/**
 * Takes a PKCS#12 file (RFC 7292) apart: returns its certificates and keys as one PEM text. Node would also trust every
 * certificate of the file, which a PEM does not cause. The caller has opened the file with OpenSSL, which checks its MAC.
 * Returns `undefined` for an encryption that it does not know, and throws a plain error for a malformed file.
 */
export function pemOfPkcs12(file: Uint8Array, passphrase = ''): string | undefined {
  const [, authSafe] = children(read(file));
  const contents = children(read(bytesOf(contentOf(required(authSafe)))));
  try {
    return contents.flatMap((content) => bagsOf(content, passphrase)).join('');
  } catch (error) {
    if (error instanceof UnknownEncryption) return undefined;
    throw error;
  }
}

class UnknownEncryption extends Error {}

/** Object identifiers by the hexadecimal form of their bytes. */
const OID = {
  data: '2a864886f70d010701',
  encryptedData: '2a864886f70d010706',
  keyBag: '2a864886f70d010c0a0101',
  shroudedKeyBag: '2a864886f70d010c0a0102',
  certBag: '2a864886f70d010c0a0103',
  safeContentsBag: '2a864886f70d010c0a0106',
  x509Certificate: '2a864886f70d01091601',
  tripleDes: '2a864886f70d010c0103',
  twoKeyTripleDes: '2a864886f70d010c0104',
  pbes2: '2a864886f70d01050d',
  pbkdf2: '2a864886f70d01050c',
  scrypt: '2b06010401da47040b',
} as const;

const DIGESTS: Readonly<Record<string, string>> = {
  '2a864886f70d0207': 'sha1',
  '2a864886f70d0208': 'sha224',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
};

/** Ciphers with the length of their keys. */
const CIPHERS: Readonly<Record<string, readonly [name: string, keyLength: number]>> = {
  '608648016503040102': ['aes-128-cbc', 16],
  '608648016503040116': ['aes-192-cbc', 24],
  '60864801650304012a': ['aes-256-cbc', 32],
  '2a864886f70d0307': ['des-ede3-cbc', 24],
};

const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
const CONSTRUCTED = 0x20;

/** A BER element. */
interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Where the next element begins. */
  readonly end: number;
}

function bagsOf(content: Element, passphrase: string): string[] {
  const [type] = children(content);
  const inner = contentOf(content);
  const kind = oidOf(type);
  if (kind === OID.data) return safeContents(bytesOf(inner), passphrase);
  if (kind !== OID.encryptedData) throw new UnknownEncryption();
  const [, info] = children(inner);
  const [, algorithm, encrypted] = children(required(info));
  return safeContents(decrypt(required(algorithm), bytesOf(required(encrypted)), passphrase), passphrase);
}

function safeContents(bytes: Buffer, passphrase: string): string[] {
  return children(read(bytes)).flatMap((bag) => {
    const [type] = children(bag);
    const value = contentOf(bag);
    switch (oidOf(type)) {
      case OID.keyBag:
        return [pemOf('PRIVATE KEY', encoded(value))];
      case OID.shroudedKeyBag: {
        const [algorithm, encrypted] = children(value);
        return [pemOf('PRIVATE KEY', decrypt(required(algorithm), bytesOf(required(encrypted)), passphrase))];
      }
      case OID.certBag: {
        const [certType] = children(value);
        return oidOf(certType) === OID.x509Certificate
          ? [pemOf('CERTIFICATE', bytesOf(contentOf(value)))]
          : [];
      }
      case OID.safeContentsBag:
        return safeContents(encoded(value), passphrase);
      default:
        return [];
    }
  });
}

function decrypt(algorithm: Element, encrypted: Buffer, passphrase: string): Buffer {
  const [scheme, parameters] = children(algorithm);
  switch (oidOf(scheme)) {
    case OID.pbes2:
      return decryptPbes2(required(parameters), encrypted, passphrase);
    case OID.tripleDes:
      return decryptTripleDes(required(parameters), encrypted, passphrase, 24);
    case OID.twoKeyTripleDes:
      return decryptTripleDes(required(parameters), encrypted, passphrase, 16);
    default:
      throw new UnknownEncryption();
  }
}

/** RFC 8018, 6.2. */
function decryptPbes2(parameters: Element, encrypted: Buffer, passphrase: string): Buffer {
  const [derivation, encryption] = children(parameters);
  const [cipherType, vector] = children(required(encryption));
  const [cipher, keyLength] = CIPHERS[oidOf(cipherType)] ?? [];
  if (cipher === undefined || keyLength === undefined) throw new UnknownEncryption();
  const key = derivedKey(required(derivation), keyLength, passphrase);
  return decipher(cipher, key, bytesOf(required(vector)), encrypted);
}

function derivedKey(derivation: Element, length: number, passphrase: string): Buffer {
  const [type, parameters] = children(derivation);
  const [salt, ...rest] = children(required(parameters));
  const saltBytes = bytesOf(required(salt));
  if (oidOf(type) === OID.scrypt) {
    const [N = 0, r = 0, p = 0] = rest.map(numberOf);
    return builtin('crypto').scryptSync(passphrase, saltBytes, length, { N, r, p, maxmem: 256 * N * r });
  }
  if (oidOf(type) !== OID.pbkdf2) throw new UnknownEncryption();
  const [iterations] = rest;
  // Default: HMAC with SHA-1.
  const prf = rest.find(({ tag }) => tag === SEQUENCE);
  const digest = prf === undefined ? 'sha1' : DIGESTS[oidOf(children(prf)[0])];
  if (digest === undefined) throw new UnknownEncryption();
  return builtin('crypto').pbkdf2Sync(passphrase, saltBytes, numberOf(required(iterations)), length, digest);
}

/** RFC 7292, appendix C. */
function decryptTripleDes(
  parameters: Element,
  encrypted: Buffer,
  passphrase: string,
  keyLength: number,
): Buffer {
  const [salt, iterations] = children(parameters);
  // Without a passphrase, some programs derive the key from nothing, others from an empty text with its terminator.
  const secrets = [utf16(`${passphrase}\0`), ...(passphrase === '' ? [Buffer.alloc(0)] : [])];
  const attempt = (secret: Buffer) => {
    const derive = (purpose: number, length: number) =>
      pkcs12Key(secret, bytesOf(required(salt)), purpose, numberOf(required(iterations)), length);
    const key = derive(1, keyLength);
    const full = keyLength === 24 ? key : Buffer.concat([key, key.subarray(0, 8)]);
    const plain = decipher('des-ede3-cbc', full, derive(2, 8), encrypted);
    read(plain);
    return plain;
  };
  const [first, second] = secrets as [Buffer, Buffer?];
  if (second === undefined) return attempt(first);
  try {
    return attempt(first);
  } catch {
    return attempt(second);
  }
}

/** RFC 7292, appendix B, with SHA-1. */
function pkcs12Key(
  secret: Buffer,
  salt: Buffer,
  purpose: number,
  iterations: number,
  length: number,
): Buffer {
  const BLOCK = 64;
  const filled = (bytes: Buffer) => Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK, bytes);
  const diversifier = Buffer.alloc(BLOCK, purpose);
  const input = Buffer.concat([filled(salt), filled(secret)]);
  const { createHash } = builtin('crypto');
  const derived: Buffer[] = [];
  for (let have = 0; have < length; have += 20) {
    let hash = createHash('sha1').update(diversifier).update(input).digest();
    for (let round = 1; round < iterations; round += 1) hash = createHash('sha1').update(hash).digest();
    derived.push(hash);
    const addend = Buffer.alloc(BLOCK, hash);
    for (let start = 0; start < input.length; start += BLOCK) {
      let carry = 1;
      for (let at = BLOCK - 1; at >= 0; at -= 1) {
        carry += (input[start + at] ?? 0) + (addend[at] ?? 0);
        input[start + at] = carry & 0xff;
        carry >>= 8;
      }
    }
  }
  return Buffer.concat(derived).subarray(0, length);
}

function decipher(cipher: string, key: Buffer, vector: Buffer, encrypted: Buffer): Buffer {
  const deciphering = builtin('crypto').createDecipheriv(cipher, key, vector);
  return Buffer.concat([deciphering.update(encrypted), deciphering.final()]);
}

function utf16(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

// — BER (X.690). Other than in DER, lengths may be indefinite and strings in pieces, as some programs write them. —

function read(bytes: Uint8Array, offset = 0): Element {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = buffer[offset];
  const head = buffer[offset + 1];
  if (tag === undefined || head === undefined) throw new Error('truncated');
  if (head === 0x80) {
    const start = offset + 2;
    let end = start;
    while (buffer[end] !== 0 || buffer[end + 1] !== 0) end = read(buffer, end).end;
    return { tag, content: buffer.subarray(start, end), end: end + 2 };
  }
  const long = head > 0x80 ? head - 0x80 : 0;
  const start = offset + 2 + long;
  const size = long === 0 ? head : buffer.readUIntBE(offset + 2, long);
  if (start + size > buffer.length) throw new Error('truncated');
  return { tag, content: buffer.subarray(start, start + size), end: start + size };
}

function children(element: Element): Element[] {
  if ((element.tag & CONSTRUCTED) === 0) throw new Error('primitive');
  const found: Element[] = [];
  for (let at = 0; at < element.content.length; ) {
    const child = read(element.content, at);
    found.push(child);
    at = child.end;
  }
  return found;
}

/** The value in `[0] EXPLICIT`, the second part of a ContentInfo, a bag and a CertBag. */
function contentOf(element: Element): Element {
  const [, wrapped] = children(element);
  const [value] = children(required(wrapped));
  return required(value);
}

/** The bytes of a string, which may be in pieces. */
function bytesOf(element: Element): Buffer {
  return (element.tag & CONSTRUCTED) === 0 ? element.content : Buffer.concat(children(element).map(bytesOf));
}

/** Encodes an element again. */
function encoded({ tag, content }: Element): Buffer {
  const bytes: number[] = [];
  for (let left = content.length; left > 0; left >>= 8) bytes.unshift(left & 0xff);
  const length = content.length < 0x80 ? [content.length] : [0x80 | bytes.length, ...bytes];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function numberOf(element: Element): number {
  return element.content.readUIntBE(0, element.content.length);
}

function oidOf(element: Element | undefined): string {
  return element?.tag === OBJECT_IDENTIFIER ? element.content.toString('hex') : '';
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('incomplete');
  return value;
}
