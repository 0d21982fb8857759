import type { X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { parseCertificate } from './certificates';
import { type ForeignFormat, foreignBinary, foreignLabel, foreignText } from './foreign-formats';
import { plainText } from './text-forms';

/** The contents of one or several stored values. */
export interface TlsParts {
  readonly certificates: X509Certificate[];
  /** PEM, encrypted or not. */
  readonly keys: string[];
  readonly pfx: Buffer[];
  /** Other blocks, such as a public key. */
  readonly others: ForeignFormat[];
}

/** The expected content of a stored value, which decides the code of errors. */
type TlsRole = 'certificate' | 'private key';

const INVALID = { certificate: 'CERTIFICATE_INVALID', 'private key': 'PRIVATE_KEY_INVALID' } as const;

interface Expected {
  readonly alias: string;
  readonly role: TlsRole;
}

// Some values are encoded by the transport, and again by hand.
const MAX_ENCODINGS = 2;

/**
 * Parses a stored value: PEM blocks in any order, DER, PFX, or base64 of any of them, in the forms that transports give them. The result shares no memory with it.
 * @throws `CERTIFICATE_INVALID`, `PRIVATE_KEY_INVALID`.
 */
export function parseTlsParts(alias: string, stored: Uint8Array, role: TlsRole = 'certificate'): TlsParts {
  const parts: TlsParts = { certificates: [], keys: [], pfx: [], others: [] };
  collect({ alias, role }, Buffer.from(stored), parts, MAX_ENCODINGS);
  return parts;
}

export function mergeTlsParts(all: readonly TlsParts[]): TlsParts {
  return {
    certificates: all.flatMap((parts) => parts.certificates),
    keys: all.flatMap((parts) => parts.keys),
    pfx: all.flatMap((parts) => parts.pfx),
    others: all.flatMap((parts) => parts.others),
  };
}

function collect(expected: Expected, bytes: Buffer, parts: TlsParts, encodings: number): void {
  const foreign = foreignBinary(bytes);
  if (foreign !== undefined) throw notTls(expected, foreign);
  if (isBinary(bytes)) {
    collectDer(expected, bytes, parts);
    return;
  }
  const text = plainText(bytes);
  if (text.includes('-----BEGIN ')) {
    for (const block of blocksOf(expected, text)) collectBlock(expected, block, parts);
  } else {
    collect(expected, decoded(expected, text, encodings), parts, encodings - 1);
  }
}

/** Collects one or several structures, one after the other. */
function collectDer(expected: Expected, bytes: Buffer, parts: TlsParts): void {
  let rest = bytes;
  for (let found = derOf(rest); found !== undefined; found = derOf(rest)) {
    const { label, end } = found;
    const der = rest.subarray(0, end);
    if (label === 'PFX') parts.pfx.push(der);
    else collectBlock(expected, { label, pem: pemOf(label, der) }, parts);
    rest = rest.subarray(end);
  }
  if (rest !== bytes) return;
  const isCut = bytes[0] === SEQUENCE && (bytes[1] ?? 0) > 0x80;
  throw isCut ? truncated(expected, 'DER or PFX') : unknown(expected);
}

function collectBlock(expected: Expected, { label, pem }: PemBlock, parts: TlsParts): void {
  const foreign = foreignLabel(label);
  // Other blocks may accompany a pair, but such a key would be the only one.
  if (label === 'OPENSSH PRIVATE KEY' && foreign !== undefined) throw notTls(expected, foreign);
  if (foreign !== undefined) parts.others.push(foreign);
  else if (/^(PKCS ?#?12|PFX)$/.test(label)) parts.pfx.push(derOfPem(pem));
  else if (label.endsWith('PRIVATE KEY')) parts.keys.push(pem);
  else if (/^(X509 |TRUSTED )?CERTIFICATE$/.test(label))
    parts.certificates.push(certificate(expected.alias, pem));
}

function blocksOf(expected: Expected, text: string): readonly PemBlock[] {
  const blocks = pemBlocks(text);
  if (blocks !== undefined) return blocks;
  const headers = /Proc-Type:|DEK-Info:/.test(text);
  throw truncated(
    expected,
    'PEM',
    headers ? ' The lines Proc-Type and DEK-Info of an old encrypted key must be whole.' : '',
  );
}

function truncated({ alias, role }: Expected, what: string, more = ''): SecretsError {
  const next =
    what === 'PEM'
      ? `Store the whole file again. Each BEGIN line needs an END line, with only base64 between them.${more}`
      : 'Store the whole file again.';
  return new SecretsError(INVALID[role], `the ${what} of "${alias}" is truncated or damaged`, {
    secret: alias,
    next,
  });
}

function unknown({ alias, role }: Expected): SecretsError {
  return new SecretsError(INVALID[role], `"${alias}" is neither PEM nor DER nor PFX`, {
    secret: alias,
    next: 'Store PEM text, DER or PFX bytes, or one of them as base64.',
  });
}

function notTls({ alias, role }: Expected, { what, next }: ForeignFormat): SecretsError {
  const code = what.includes('private key') ? 'PRIVATE_KEY_INVALID' : INVALID[role];
  return new SecretsError(code, `"${alias}" is ${what}`, { secret: alias, next });
}

function decoded(expected: Expected, text: string, encodings: number): Buffer {
  const foreign = foreignText(text);
  if (foreign !== undefined) throw notTls(expected, foreign);
  const base64 = text.replace(/\s+/g, '');
  if (encodings > 0 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(base64)) return Buffer.from(base64, 'base64');
  throw unknown(expected);
}

function certificate(alias: string, pem: string): X509Certificate {
  try {
    return parseCertificate(pem);
  } catch {
    throw new SecretsError('CERTIFICATE_INVALID', `a certificate of "${alias}" cannot be parsed`, {
      secret: alias,
      next: 'Check the stored file: openssl x509 -in FILE -noout -subject -enddate',
    });
  }
}

/** One block of a PEM text, with its label. */
interface PemBlock {
  readonly label: string;
  readonly pem: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Returns the blocks of a text, or `undefined` if one of them is truncated or damaged. */
function pemBlocks(text: string): PemBlock[] | undefined {
  const blocks: PemBlock[] = [];
  for (const [whole, label = '', body = ''] of text.matchAll(BLOCK)) {
    const pem = foreignLabel(label) === undefined ? rewrapped(label, body) : whole;
    if (pem === undefined) return undefined;
    blocks.push({ label, pem });
  }
  const begun = text.split('-----BEGIN ').length - 1;
  return blocks.length === begun ? blocks : undefined;
}

/** Returns the bytes of a block. */
export function derOfPem(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----[^-]+-----|^[A-Za-z-]+:.*$/gm, ''), 'base64');
}

/** Writes DER as PEM. */
export function pemOf(label: string, der: Uint8Array): string {
  return lines(label, Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64'));
}

function rewrapped(label: string, body: string): string | undefined {
  if (/Proc-Type:|DEK-Info:/.test(body)) return rewrappedWithHeaders(label, body);
  const base64 = body.replace(/\s+/g, '');
  return BASE64.test(base64) ? lines(label, base64) : undefined;
}

const HEADERS =
  /^\s*Proc-Type:\s*4\s*,\s*ENCRYPTED\s*DEK-Info:\s*([A-Z0-9-]+?)\s*,\s*([0-9A-Fa-f]+)([\s\S]*)$/;

/** Restores the header lines of a key in the old encryption format of OpenSSL: transports run them together. */
function rewrappedWithHeaders(label: string, body: string): string | undefined {
  const [, cipher = '', digits = '', after = ''] = HEADERS.exec(body) ?? [];
  const length = /^(AES|CAMELLIA|ARIA|SEED)/.test(cipher) ? 32 : 16;
  // Without a line break, the digits of the base64 that follows look like digits of the vector.
  const base64 = (digits.slice(length) + after).replace(/\s+/g, '');
  if (digits.length < length || !BASE64.test(base64)) return undefined;
  const begin = `-----BEGIN ${label}-----\n`;
  const headers = `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${digits.slice(0, length)}\n\n`;
  return lines(label, base64).replace(begin, `${begin}${headers}`);
}

function lines(label: string, base64: string): string {
  const wrapped = base64.match(/.{1,64}/g)?.join('\n') ?? '';
  return `-----BEGIN ${label}-----\n${wrapped}\n-----END ${label}-----\n`;
}

/** The recognized DER structures, by PEM label. */
type DerLabel =
  | 'CERTIFICATE'
  | 'PRIVATE KEY'
  | 'RSA PRIVATE KEY'
  | 'EC PRIVATE KEY'
  | 'ENCRYPTED PRIVATE KEY'
  | 'PUBLIC KEY'
  | 'CERTIFICATE REQUEST'
  | 'PKCS7'
  | 'PFX';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const BIT_STRING = 0x03;
const SET = 0x31;

/** True for bytes that are not text. DER has a length of 128 or more, or an INTEGER tag, in its first bytes. */
function isBinary(bytes: Buffer): boolean {
  return bytes[0] === SEQUENCE && bytes.subarray(0, 4).some((byte) => byte >= 0x80 || (byte > 0 && byte < 9));
}

/**
 * Recognizes a structure by its first elements, and returns its end: other bytes may follow, such as a line break. A
 * certificate begins with a sequence (RFC 5280), a PFX with version 3 (RFC 7292). A plain private key begins with version 0 or
 * 1 and then a sequence (RFC 5208), an integer (RFC 8017) or a string (RFC 5915); an encrypted key with the sequence of its
 * algorithm (RFC 5208). Returns `undefined` for bytes that are not DER, or are truncated.
 */
function derOf(bytes: Uint8Array): { readonly label: DerLabel; readonly end: number } | undefined {
  const outer = element(bytes, 0);
  if (outer?.tag !== SEQUENCE) return undefined;
  const label = labelOf(bytes, outer.start);
  return label && { label, end: outer.end };
}

function labelOf(bytes: Uint8Array, start: number): DerLabel | undefined {
  const first = element(bytes, start);
  if (first?.tag === OBJECT_IDENTIFIER) return 'PKCS7';
  if (first?.tag === SEQUENCE) {
    const inner = element(bytes, first.start);
    if (inner?.tag === OBJECT_IDENTIFIER) {
      return element(bytes, first.end)?.tag === BIT_STRING ? 'PUBLIC KEY' : 'ENCRYPTED PRIVATE KEY';
    }
    // The version of a request precedes its subject, the number of an old certificate its algorithm.
    const second = inner?.tag === INTEGER ? element(bytes, inner.end) : undefined;
    const isName = second?.tag === SEQUENCE && (second.start === second.end || bytes[second.start] === SET);
    return isName ? 'CERTIFICATE REQUEST' : 'CERTIFICATE';
  }
  if (first?.tag !== INTEGER) return undefined;
  if (bytes[first.start] === 3) return 'PFX';
  const second = element(bytes, first.end)?.tag;
  if (second === SEQUENCE) return 'PRIVATE KEY';
  return second === INTEGER ? 'RSA PRIVATE KEY' : 'EC PRIVATE KEY';
}

/**
 * Reads the tag, content start and end of the element at `offset`. An element of indefinite length (BER, as Bouncy Castle
 * writes a PFX) counts to the end of the bytes.
 */
function element(bytes: Uint8Array, offset: number): { tag: number; start: number; end: number } | undefined {
  const tag = bytes[offset];
  const length = bytes[offset + 1];
  if (tag === undefined || length === undefined) return undefined;
  if (length === 0x80) return { tag, start: offset + 2, end: bytes.length };
  const long = length > 0x80 ? length - 0x80 : 0;
  if (long > 4) return undefined;
  let size = long === 0 ? length : 0;
  for (let index = 0; index < long; index += 1) size = size * 256 + (bytes[offset + 2 + index] ?? 0);
  const start = offset + 2 + long;
  return start + size <= bytes.length ? { tag, start, end: start + size } : undefined;
}
