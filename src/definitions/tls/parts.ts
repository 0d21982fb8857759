import type { X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';

/** The contents of one or several stored values. */
export interface TlsParts {
  readonly certificates: X509Certificate[];
  /** PEM, encrypted or not. */
  readonly keys: string[];
  readonly pfx: Buffer[];
  /** Labels of other blocks, such as `PUBLIC KEY`. */
  readonly others: string[];
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
 * Parses a stored value: PEM blocks in any order, DER, PFX, or base64 of any of them. The result shares no memory with it.
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
  const label = derLabel(bytes);
  const text = bytes.toString('latin1');
  if (label === 'PFX') parts.pfx.push(bytes);
  else if (label !== undefined) collectBlock(expected, { label, pem: pemOf(label, bytes) }, parts);
  else if (text.includes('-----BEGIN '))
    for (const block of blocksOf(expected, text)) collectBlock(expected, block, parts);
  else collect(expected, decoded(expected, text, encodings), parts, encodings - 1);
}

function collectBlock({ alias }: Expected, { label, pem }: PemBlock, parts: TlsParts): void {
  if (label.endsWith('PRIVATE KEY')) parts.keys.push(pem);
  else if (/^(X509 |TRUSTED )?CERTIFICATE$/.test(label)) parts.certificates.push(certificate(alias, pem));
  else parts.others.push(label);
}

function blocksOf({ alias, role }: Expected, text: string): readonly PemBlock[] {
  const blocks = pemBlocks(text);
  if (blocks !== undefined) return blocks;
  throw new SecretsError(INVALID[role], `the PEM of "${alias}" is truncated or damaged`, {
    secret: alias,
    next: 'Store the whole file again. Each BEGIN line needs an END line, with only base64 between them.',
  });
}

function decoded({ alias, role }: Expected, text: string, encodings: number): Buffer {
  const base64 = text.replace(/^\u00ef\u00bb\u00bf/, '').replace(/\s+/g, '');
  if (encodings > 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return Buffer.from(base64, 'base64');
  throw new SecretsError(INVALID[role], `"${alias}" is neither PEM nor DER nor PFX`, {
    secret: alias,
    next: 'Store PEM text, DER or PFX bytes, or one of them as base64.',
  });
}

function certificate(alias: string, pem: string): X509Certificate {
  try {
    return new (builtin('crypto').X509Certificate)(pem);
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

/**
 * Returns the blocks of a text, or `undefined` if one of them is truncated or damaged. Repairs PEM that passed through
 * variables or forms: `\n` as two characters, line breaks that are lost or became spaces, CRLF.
 */
function pemBlocks(text: string): PemBlock[] | undefined {
  const repaired = text.replace(/(\\r)?\\n/g, '\n').replace(/\r\n?/g, '\n');
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = ''] of repaired.matchAll(BLOCK)) {
    const pem = rewrapped(label, body);
    if (pem === undefined) return undefined;
    blocks.push({ label, pem });
  }
  const begun = repaired.split('-----BEGIN ').length - 1;
  return blocks.length === begun ? blocks : undefined;
}

/** Writes DER as PEM. */
export function pemOf(label: string, der: Uint8Array): string {
  return lines(label, Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64'));
}

function rewrapped(label: string, body: string): string | undefined {
  // Keys in the old encryption format of OpenSSL have header lines, which must keep their line breaks.
  if (/^\s*Proc-Type:/.test(body))
    return `-----BEGIN ${label}-----\n${body.trim()}\n-----END ${label}-----\n`;
  const base64 = body.replace(/\s+/g, '');
  return BASE64.test(base64) ? lines(label, base64) : undefined;
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
  | 'PFX';

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;

/**
 * Recognizes a structure by its first elements. A certificate begins with a sequence (RFC 5280), a PFX with version 3
 * (RFC 7292). A plain private key begins with version 0 or 1 and then a sequence (RFC 5208), an integer (RFC 8017) or a
 * string (RFC 5915); an encrypted key with the sequence of its algorithm (RFC 5208). Returns `undefined` for bytes that are not
 * DER, or are truncated.
 */
function derLabel(bytes: Uint8Array): DerLabel | undefined {
  const outer = element(bytes, 0);
  if (outer?.tag !== SEQUENCE || outer.end !== bytes.length) return undefined;
  const first = element(bytes, outer.start);
  if (first?.tag === SEQUENCE) {
    return element(bytes, first.start)?.tag === OBJECT_IDENTIFIER ? 'ENCRYPTED PRIVATE KEY' : 'CERTIFICATE';
  }
  if (first?.tag !== INTEGER) return undefined;
  if (bytes[first.start] === 3) return 'PFX';
  const second = element(bytes, first.end)?.tag;
  if (second === SEQUENCE) return 'PRIVATE KEY';
  return second === INTEGER ? 'RSA PRIVATE KEY' : 'EC PRIVATE KEY';
}

/** Reads the tag, content start and end of the DER element at `offset`. */
function element(bytes: Uint8Array, offset: number): { tag: number; start: number; end: number } | undefined {
  const tag = bytes[offset];
  const length = bytes[offset + 1];
  if (tag === undefined || length === undefined) return undefined;
  const long = length > 0x80 ? length - 0x80 : 0;
  if (long > 4 || length === 0x80) return undefined;
  let size = long === 0 ? length : 0;
  for (let index = 0; index < long; index += 1) size = size * 256 + (bytes[offset + 2 + index] ?? 0);
  const start = offset + 2 + long;
  return start + size <= bytes.length ? { tag, start, end: start + size } : undefined;
}
