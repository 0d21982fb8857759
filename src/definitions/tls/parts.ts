import { X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { derLabel } from './der';
import { isPem, type PemBlock, pemBlocks, pemOf } from './pem';

/** What lies in one stored value, or in several together. */
export interface TlsParts {
  readonly certificates: X509Certificate[];
  /** PEM, encrypted or not. */
  readonly keys: string[];
  readonly pfx: Buffer[];
  /** Labels of blocks that are neither, such as `PUBLIC KEY`. */
  readonly others: string[];
}

/** What a stored value should hold; names the code of what is wrong with it. */
export type TlsRole = 'certificate' | 'private key';

const INVALID = { certificate: 'CERTIFICATE_INVALID', 'private key': 'PRIVATE_KEY_INVALID' } as const;

interface Place {
  readonly alias: string;
  readonly role: TlsRole;
}

// Encoded once for the transport and once more by hand.
const MOST_ENCODINGS = 2;

/**
 * Takes a stored value apart: PEM in any order and state, DER, PFX, and each of them as base64 text. Copies what it
 * keeps.
 * @throws `CERTIFICATE_INVALID`, `PRIVATE_KEY_INVALID`.
 */
export function takeApart(alias: string, stored: Uint8Array, role: TlsRole = 'certificate'): TlsParts {
  const parts: TlsParts = { certificates: [], keys: [], pfx: [], others: [] };
  collect({ alias, role }, Buffer.from(stored), parts, MOST_ENCODINGS);
  return parts;
}

export function together(all: readonly TlsParts[]): TlsParts {
  return {
    certificates: all.flatMap((parts) => parts.certificates),
    keys: all.flatMap((parts) => parts.keys),
    pfx: all.flatMap((parts) => parts.pfx),
    others: all.flatMap((parts) => parts.others),
  };
}

function collect(place: Place, bytes: Buffer, parts: TlsParts, encodings: number): void {
  const label = derLabel(bytes);
  const text = bytes.toString('latin1');
  if (label === 'PFX') parts.pfx.push(bytes);
  else if (label !== undefined) collectBlock(place, { label, pem: pemOf(label, bytes) }, parts);
  else if (isPem(text)) for (const block of blocksOf(place, text)) collectBlock(place, block, parts);
  else collect(place, decoded(place, text, encodings), parts, encodings - 1);
}

function collectBlock({ alias }: Place, { label, pem }: PemBlock, parts: TlsParts): void {
  if (label.endsWith('PRIVATE KEY')) parts.keys.push(pem);
  else if (/^(X509 |TRUSTED )?CERTIFICATE$/.test(label)) parts.certificates.push(certificate(alias, pem));
  else parts.others.push(label);
}

function blocksOf({ alias, role }: Place, text: string): readonly PemBlock[] {
  const blocks = pemBlocks(text);
  if (blocks !== undefined) return blocks;
  throw new SecretsError(INVALID[role], `the PEM of "${alias}" is cut off or damaged`, {
    secret: alias,
    next: 'Every BEGIN line needs its END line, and only base64 between them. Store the whole file again.',
  });
}

function decoded({ alias, role }: Place, text: string, encodings: number): Buffer {
  const base64 = text.replace(/^\u00ef\u00bb\u00bf/, '').replace(/\s+/g, '');
  if (encodings > 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return Buffer.from(base64, 'base64');
  throw new SecretsError(INVALID[role], `"${alias}" is neither PEM nor DER nor PFX`, {
    secret: alias,
    next: 'Store PEM text, DER or PFX bytes, or one of them as base64.',
  });
}

function certificate(alias: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new SecretsError('CERTIFICATE_INVALID', `a certificate of "${alias}" cannot be parsed`, {
      secret: alias,
      next: 'Check it where it is stored: openssl x509 -in FILE -noout -subject -enddate',
    });
  }
}
