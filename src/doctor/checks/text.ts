import { secret } from '../../definitions/secret';
import { type About, type Finding, finding, findingOf } from '../findings';
import { decoded } from './decoded';

/** How the package reads a value. */
export type ValueKind = 'text' | 'json' | 'bytes';

/** A value as it is stored, and as the package decodes it: `undefined` if it cannot. */
export interface StoredValue {
  readonly kind: ValueKind;
  readonly bytes: Uint8Array;
  readonly decoded: unknown;
  /** Whether the definition accepts references. */
  readonly unresolved?: 'refuse' | 'accept' | undefined;
}

/** Tells whether a finding explains why a value cannot be decoded, or what its definition finds suspect. */
export function explains({ code }: Finding): boolean {
  return code === 'VALUE_PLACEHOLDER' || code === 'VALUE_BASE64';
}

/** Checks the value of a file or variable of which nobody said what it holds, as a store without definitions reads it. */
export async function checkUndeclared(name: string, bytes: Uint8Array, about: About): Promise<Finding[]> {
  const { value, error, told } = await decoded(secret.text(name), [bytes]);
  if (error !== undefined) {
    // Binary files are read with a definition; without one, a store cannot read them.
    const isBinary = error.code === 'VALUE_NOT_UTF8' || error.code === 'VALUE_NOT_TEXT';
    return [findingOf(error, { ...about, level: isBinary ? 'warning' : undefined })];
  }
  return [
    ...told.map((problem) => findingOf(problem, about)),
    ...checkText({ kind: 'text', bytes, decoded: value }, about),
  ];
}

/**
 * Checks what editors, shells and templates do to a value that its definition accepts: it may be meant, or harm only programs
 * that read the file themselves.
 */
export function checkText(stored: StoredValue, about: About): Finding[] {
  const { kind, bytes, decoded: value } = stored;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8').replace(/^\ufeff/, '');
  // A value that is declared with an encoding, or that a schema changes, says nothing about its stored form.
  const isRaw = kind !== 'text' || typeof value !== 'string' || text.startsWith(value);
  if (!isRaw) return [];
  if (kind === 'bytes') return checkBytes(buffer, text, value, about);
  const meaning = checkMeaning(stored, text, about);
  if (kind === 'json') return meaning;
  return text.includes('-----BEGIN ')
    ? [...meaning, ...checkLineBreaks(text, about)]
    : [...meaning, ...checkLines(text, about)];
}

const PLACEHOLDER =
  /^(change[-_ ]?(me|it|this)[!.]*|replace[-_ ]?(me|this)|to[-_ ]?do|fix[-_ ]?me|tbd|placeholder|dummy|x{3,}|\.{3,}|\[[\w -]{1,60}\]|your[-_ ][\w -]{1,60}|insert[-_ ][\w -]{1,60})$/i;

/** Addresses and connection strings, which are put together from parts. A password may be `${x}!` as a whole. */
const PUT_TOGETHER = /^\s*([a-z][\w+.-]*:\/\/|[\w ]+=[^;]*;)/i;

/** What a template leaves inside them. A definition refuses values that are a reference as a whole. */
const PART =
  /\$\{[A-Za-z_]\w*(:?[-?+][^}]*)?\}|\$\([A-Za-z_][\w.]*\)|\{\{-?\s*[\w.$"(][^}]*\}\}|<path:[^>]+#[^>]+>|@Microsoft\.KeyVault\(/;

function checkMeaning({ kind, unresolved }: StoredValue, text: string, about: About): Finding[] {
  if (PLACEHOLDER.test(text.trim())) return [finding('VALUE_PLACEHOLDER', {}, about)];
  const mayHaveParts = unresolved !== 'accept' && PUT_TOGETHER.test(text);
  if (mayHaveParts && PART.test(text)) return [finding('VALUE_PART_UNRESOLVED', {}, about)];
  // Of JSON, its definition says so.
  if (kind === 'json') return [];
  if (pfxIn(text)) return [finding('VALUE_PFX_TEXT', {}, about)];
  const of = base64Of(text);
  return of === undefined ? [] : [finding('VALUE_BASE64', { of }, about)];
}

function checkLines(text: string, about: About): Finding[] {
  const body = text.replace(/[\r\n]+$/, '');
  const found: Finding[] = [];
  // A definition says what it does not remove. What it removes reaches only programs that read the file themselves.
  if (/^(\r?\n|\r)$/.test(text.slice(body.length))) {
    found.push(finding('VALUE_TRAILING_NEWLINE', { count: 1 }, { ...about, level: 'note' }));
  }
  const lines = body.split('\r\n').length - 1;
  if (lines > 0) found.push(finding('VALUE_CRLF', { lines }, about));
  return found;
}

/** What a PEM loses on its way; definitions of certificates and keys undo it, other readers do not. */
export function checkPem(text: string, about: About): Finding[] {
  const [, quote] = /^(["']).*\1$/s.exec(text.trim()) ?? [];
  return [
    ...checkLineBreaks(text, about),
    ...(quote === undefined ? [] : [finding('VALUE_QUOTED', { quote }, about)]),
  ];
}

function checkLineBreaks(text: string, about: About): Finding[] {
  return /-----\\+n/.test(text) ? [finding('VALUE_NEWLINES_ESCAPED', {}, about)] : [];
}

/** Sizes of keys: of AES, HMAC and Ed25519. */
const KEY_BYTES = [16, 24, 32, 48, 64];

function checkBytes(buffer: Buffer, text: string, value: unknown, about: About): Finding[] {
  // With an encoding, the decoded bytes differ.
  if (!(value instanceof Uint8Array) || !buffer.equals(value)) return [];
  const found: Finding[] = [];
  const base64 = decodedBase64(text.trim());
  if (base64 !== undefined && KEY_BYTES.includes(base64.length)) {
    found.push(finding('VALUE_BASE64', { of: 'bytes' }, about));
  }
  const newlines = /^[\x20-\x7e\r\n]+$/.test(text) ? text.length - text.replace(/\n+$/, '').length : 0;
  if (newlines > 0) found.push(finding('VALUE_TRAILING_NEWLINE', { count: newlines }, about));
  return found;
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
