import { SecretsError } from '../errors';

let utf8: InstanceType<typeof TextDecoder> | undefined;

export function decodeUtf8(alias: string, bytes: Uint8Array): string {
  utf8 ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return utf8.decode(bytes);
  } catch {
    throw new SecretsError('VALUE_NOT_UTF8', `the value of "${alias}" is not valid UTF-8`, {
      secret: alias,
      next: 'Use secret.bytes for binary values, or store the text as UTF-8.',
    });
  }
}

/** Removes the final newline, which editors and `kubectl create secret --from-file` add to a value. */
export function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
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

/** Decodes base64. Ignores whitespace and accepts missing padding; other characters are errors. */
export function decodeBase64(alias: string, bytes: Uint8Array, encoding: keyof typeof ALPHABETS): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('latin1')
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

export function parseJson(alias: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The message of the parser echoes its input.
    throw new SecretsError('VALUE_NOT_JSON', `the value of "${alias}" is not valid JSON`, {
      secret: alias,
      next: 'Check the stored text with a JSON linter. Trailing commas and single quotes are common mistakes.',
    });
  }
}
