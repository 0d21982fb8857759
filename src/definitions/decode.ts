import { SecretsError } from '../errors';
import { isJsonDocument, type JsonFault, jsonFault } from './json-fault';

let utf8: InstanceType<typeof TextDecoder> | undefined;

/** Decodes a text. A byte order mark and newlines stay: see `trimmed`. */
export function decodeUtf8(alias: string, bytes: Uint8Array): string {
  utf8 ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return utf8.decode(bytes);
  } catch {
    const [what, next] = notUtf8(bytes);
    throw new SecretsError('VALUE_NOT_UTF8', `the value of "${alias}" is ${what}`, { secret: alias, next });
  }
}

function notUtf8(bytes: Uint8Array): [what: string, next: string] {
  const mark = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
  if (mark === 0xfffe || mark === 0xfeff) {
    return ['UTF-16, not UTF-8', 'Store it as UTF-8. In PowerShell: Set-Content -Encoding utf8NoBOM.'];
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const offset = Buffer.byteLength(text.slice(0, text.indexOf('\ufffd')));
  return [
    `not valid UTF-8, from byte ${offset} on`,
    'Use secret.bytes for binary values, or store the text as UTF-8.',
  ];
}

export function assertNotEmpty(alias: string, length: number): void {
  if (length > 0) return;
  throw new SecretsError('VALUE_EMPTY', `the value of "${alias}" is empty`, {
    secret: alias,
    next: 'Write a value, or remove the secret and declare it .optional().',
  });
}

const ALPHABETS = {
  base64: /^[A-Za-z0-9+/]+={0,2}$/,
  base64url: /^[A-Za-z0-9_-]+={0,2}$/,
} as const;

/** Decodes base64. Ignores whitespace and a byte order mark, accepts missing padding; other characters are errors. */
export function decodeBase64(alias: string, bytes: Uint8Array, encoding: keyof typeof ALPHABETS): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('latin1')
    // A byte order mark, as three characters of Latin-1.
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .replace(/[ \t\r\n]+/g, '');
  assertNotEmpty(alias, text.length);
  const digits = text.replace(/=+$/, '');
  const padded = digits.length !== text.length;
  if (!ALPHABETS[encoding].test(text) || digits.length % 4 === 1 || (padded && text.length % 4 !== 0)) {
    throw new SecretsError('VALUE_NOT_BASE64', `the value of "${alias}" is not valid ${encoding}`, {
      secret: alias,
      next: "Store the value in that encoding, or read the bytes unchanged with encoding: 'raw'.",
    });
  }
  // Copy: small results of Buffer.from(text) share a pool with unrelated data.
  return new Uint8Array(Buffer.from(digits, encoding));
}

/** Parses JSON. Errors have the place and the kind of the fault, because the message of the parser echoes its input. */
export function parseJson(alias: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notJson(alias, jsonFault(text));
  }
}

/** @throws `VALUE_NOT_JSON` if the value is a text that is JSON itself: it was converted twice. */
export function assertParsedOnce(alias: string, value: unknown): void {
  if (typeof value !== 'string' || !isJsonDocument(value)) return;
  throw notJson(alias, {
    what: 'it is JSON inside a text of JSON',
    next: 'Store the JSON itself: it was converted twice. If that is meant, use secret.text, or a schema of a string.',
  });
}

function notJson(alias: string, { what, next }: JsonFault): SecretsError {
  return new SecretsError('VALUE_NOT_JSON', `the value of "${alias}" is not valid JSON: ${what}`, {
    secret: alias,
    next,
  });
}
