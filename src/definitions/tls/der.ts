/** What a DER structure is, in the words of PEM. */
export type DerLabel =
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
 * Tells by the first elements. A certificate begins with a sequence (RFC 5280), a PFX with the version 3 (RFC 7292), a
 * plain private key with the version 0 or 1 and then a sequence (RFC 5208), an integer (RFC 8017) or a string (RFC 5915),
 * an encrypted one with the sequence of its algorithm (RFC 5208). `undefined` where it is no DER at all, or cut off.
 */
export function derLabel(bytes: Uint8Array): DerLabel | undefined {
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

/** Tag, content and end of the element at `offset`. */
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
