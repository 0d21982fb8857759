import { type About, type Finding, finding } from '../findings';
import { isPlaceholder, referenceIn } from './references';

/** How the package reads a value. */
export type ValueKind = 'text' | 'json' | 'bytes';

/** A value as it is stored, and as the package decodes it: `undefined` if it cannot. */
export interface StoredValue {
  readonly kind: ValueKind;
  readonly bytes: Uint8Array;
  readonly decoded: unknown;
}

/** Findings that explain why a value cannot be decoded. */
const EXPLANATIONS: ReadonlySet<string> = new Set([
  'VALUE_BOM',
  'VALUE_UTF16',
  'VALUE_BASE64',
  'VALUE_REFERENCE',
  'VALUE_PLACEHOLDER',
]);

export function explains({ code }: Finding): boolean {
  return EXPLANATIONS.has(code);
}

/** Checks what editors, shells and templates do to a value. */
export function checkText({ kind, bytes, decoded }: StoredValue, about: About): Finding[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf16(buffer)) return kind === 'bytes' ? [] : [finding('VALUE_UTF16', {}, about)];
  const text = buffer.toString('utf8');
  // A value that is declared with an encoding, or that a schema changes, says nothing about its stored form.
  const isRaw = kind !== 'text' || typeof decoded !== 'string' || text.startsWith(decoded);
  if (!isRaw) return [];
  if (kind === 'bytes') return checkBytes(buffer, text, decoded, about);
  // What decodes as JSON was not base64, or its definition says so.
  const mayBeEncoded = kind === 'text' || decoded === undefined;
  const found = [...checkMeaning(text, mayBeEncoded, about), ...checkStart(text, about)];
  if (kind === 'json') return found;
  return text.includes('-----BEGIN ')
    ? [...found, ...checkPem(text, about)]
    : [...found, ...checkForm(text, decoded, about)];
}

function checkMeaning(text: string, mayBeEncoded: boolean, about: About): Finding[] {
  const reference = referenceIn(text);
  if (reference !== undefined) return [finding('VALUE_REFERENCE', reference, about)];
  if (isPlaceholder(text)) return [finding('VALUE_PLACEHOLDER', {}, about)];
  if (!mayBeEncoded) return [];
  if (pfxIn(text)) return [finding('VALUE_PFX_TEXT', {}, about)];
  const of = base64Of(text);
  return of === undefined ? [] : [finding('VALUE_BASE64', { of }, about)];
}

function checkStart(text: string, about: About): Finding[] {
  return text.startsWith('\ufeff') ? [finding('VALUE_BOM', {}, about)] : [];
}

function checkForm(text: string, decoded: unknown, about: About): Finding[] {
  const found: Finding[] = [];
  const nul = text.split('\0').length - 1;
  if (nul > 0) found.push(finding('VALUE_NUL', { count: nul }, about));
  const value = text.replace(/^\ufeff/, '');
  const body = value.replace(/[\r\n]+$/, '');
  if (body.trim() === '') {
    // An empty value is an error of the package.
    if (body !== '') found.push(finding('VALUE_WHITESPACE', { where: 'only' }, about));
    return found;
  }
  // A schema may return something else than a string; it got the text without one newline.
  const trimmed = decoded === undefined ? value : value.replace(/\r?\n$/, '');
  const given = typeof decoded === 'string' ? decoded : trimmed;
  // What the package trims reaches only programs that read the file themselves.
  const harmless = (rest: boolean) => ({ ...about, level: rest ? undefined : ('note' as const) });
  const newlines = value.slice(body.length).split('\n').length - 1;
  if (newlines > 0) {
    const kept = /[\r\n]$/.test(given);
    found.push(finding('VALUE_TRAILING_NEWLINE', { count: newlines }, harmless(kept)));
  }
  const lines = value.split('\r\n').length - 1;
  if (lines > 0) found.push(finding('VALUE_CRLF', { lines }, harmless(given.includes('\r\n'))));
  const before = /^\s/.test(body);
  const after = /\s$/.test(body);
  if (before || after) {
    const where = before && after ? 'before and after' : before ? 'before' : 'after';
    found.push(finding('VALUE_WHITESPACE', { where }, about));
  }
  return [...found, ...checkQuotes(body.trim(), about)];
}

/** What a PEM loses on its way; definitions of certificates and keys undo it, other readers do not. */
export function checkPem(text: string, about: About): Finding[] {
  const escaped = /-----\\+n/.test(text);
  return [
    ...(escaped ? [finding('VALUE_NEWLINES_ESCAPED', {}, about)] : []),
    ...checkQuotes(text.trim(), about),
  ];
}

function checkQuotes(text: string, about: About): Finding[] {
  const [, quote] = /^(["']).*\1$/s.exec(text) ?? [];
  return quote === undefined || text.length < 2 ? [] : [finding('VALUE_QUOTED', { quote }, about)];
}

/** Sizes of keys: of AES, HMAC and Ed25519. */
const KEY_BYTES = [16, 24, 32, 48, 64];

function checkBytes(buffer: Buffer, text: string, decoded: unknown, about: About): Finding[] {
  // With an encoding, the decoded bytes differ.
  if (!(decoded instanceof Uint8Array) || !buffer.equals(decoded)) return [];
  const found: Finding[] = [];
  const base64 = decodedBase64(text.trim());
  if (base64 !== undefined && KEY_BYTES.includes(base64.length)) {
    found.push(finding('VALUE_BASE64', { of: 'bytes' }, about));
  }
  const newlines = /^[\x20-\x7e\r\n]+$/.test(text) ? text.length - text.replace(/\n+$/, '').length : 0;
  if (newlines > 0) found.push(finding('VALUE_TRAILING_NEWLINE', { count: newlines }, about));
  return found;
}

function isUtf16(buffer: Buffer): boolean {
  const [first, second] = buffer;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  if (buffer.length < 4 || buffer.length % 2 !== 0) return false;
  const zeros = (offset: number) => {
    for (let at = offset; at < buffer.length; at += 2) if (buffer[at] !== 0) return false;
    return true;
  };
  return zeros(0) !== zeros(1);
}

/** Values that are shorter decode to text by chance. */
const SHORTEST_BASE64 = 8;

function decodedBase64(value: string): Buffer | undefined {
  const joined = value.replace(/[\r\n]+/g, '');
  if (joined.length < SHORTEST_BASE64 || joined.length % 4 !== 0) return undefined;
  return /^[A-Za-z0-9+/]+={0,2}$/.test(joined) ? Buffer.from(joined, 'base64') : undefined;
}

/** What a value decodes to, if that is text: random text decodes to bytes that are not. */
function base64Of(text: string): 'text' | 'PEM' | undefined {
  const value = text.trim();
  const bytes = decodedBase64(value);
  if (bytes === undefined) return undefined;
  const decoded = bytes.toString('latin1');
  if (decoded.startsWith('-----BEGIN ')) return 'PEM';
  // Words in one case are base64 digits too.
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value);
  return mixed && /^[\x20-\x7e\t]+[\r\n]*$/.test(decoded) ? 'text' : undefined;
}

/** Version 3, then the content type `data` (RFC 7292, 4). */
const PFX_START = /^30(..){1,4}02010330(..){1,4}06092a864886f70d0107/;

function pfxIn(text: string): boolean {
  const bytes = decodedBase64(text.trim());
  return bytes !== undefined && isPfx(bytes);
}

export function isPfx(bytes: Uint8Array): boolean {
  return PFX_START.test(Buffer.from(bytes.subarray(0, 64)).toString('hex'));
}
