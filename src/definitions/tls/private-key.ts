import type { KeyObject } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import { legacyCipherOfHeaders, legacyCiphersOf } from './legacy-ciphers';
import { derOfPem } from './parts';

export interface PrivateKey {
  readonly key: KeyObject;
  /** The decrypted key as PEM. */
  readonly pem: string;
}

/**
 * Reads the private key, which must be unique in `keys` apart from copies.
 * @throws `PRIVATE_KEY_AMBIGUOUS`, `PRIVATE_KEY_INVALID`, `PRIVATE_KEY_UNSUPPORTED`, `PASSPHRASE_MISSING`,
 * `PASSPHRASE_WRONG`.
 */
export function readPrivateKey(
  alias: string,
  keys: readonly string[],
  passphrase: string | undefined,
): PrivateKey | undefined {
  const [first, ...others] = keys.map((pem) => readKey(alias, pem, passphrase));
  if (first !== undefined && others.some(({ key }) => !key.equals(first.key))) {
    throw new SecretsError('PRIVATE_KEY_AMBIGUOUS', `"${alias}" has ${keys.length} different private keys`, {
      secret: alias,
      next: 'Keep only the key that belongs to the certificate.',
    });
  }
  return first;
}

function readKey(alias: string, pem: string, passphrase: string | undefined): PrivateKey {
  const encrypted = /BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(pem);
  if (encrypted && passphrase === undefined) throw passphraseMissing(alias, 'private key');
  try {
    const key = builtin('crypto').createPrivateKey({
      key: pem,
      format: 'pem',
      ...(encrypted ? { passphrase } : {}),
    });
    return { key, pem: encrypted ? key.export({ type: 'pkcs8', format: 'pem' }).toString() : pem };
  } catch (error) {
    const cipher = encrypted ? refusedCipher(pem, error) : undefined;
    if (cipher !== undefined) throw unsupported(alias, cipher);
    // A wrong passphrase causes bad padding, or decrypts to garbage.
    if (encrypted && isWhole(pem)) throw passphraseWrong(alias, 'private key');
    throw new SecretsError('PRIVATE_KEY_INVALID', `the private key of "${alias}" cannot be parsed`, {
      secret: alias,
      next: 'Check the stored file: openssl pkey -in FILE -noout',
    });
  }
}

/** Returns what OpenSSL refuses, whatever the passphrase is. */
function refusedCipher(pem: string, error: unknown): string | undefined {
  if (errorCode(error) === 'ERR_OSSL_BAD_DECRYPT') return undefined;
  if (/memory limit exceeded/.test(String(error))) return 'scrypt with more than 32 MB of memory';
  const legacy = legacyCipherOfHeaders(pem) ?? legacyCiphersOf(derOfPem(pem)).join(' and ');
  return legacy === '' ? undefined : legacy;
}

/** False for an encrypted key that lost bytes: no passphrase opens it. */
function isWhole(pem: string): boolean {
  const der = derOfPem(pem);
  // Block ciphers write whole blocks of 8 or 16 bytes.
  if (pem.includes('DEK-Info:')) return der.length % (/DEK-Info: DES/.test(pem) ? 8 : 16) === 0;
  const size = der[1] === 0x82 ? 4 + der.readUInt16BE(2) : der[1] === 0x81 ? 3 + (der[2] ?? 0) : der.length;
  return der[0] === 0x30 && size <= der.length;
}

function unsupported(alias: string, cipher: string): SecretsError {
  const what = `the private key of "${alias}" is encrypted with ${cipher}, which OpenSSL 3 refuses`;
  const convert = cipher.startsWith('scrypt')
    ? 'Encrypt it again, with an OpenSSL older than 3 or without a limit: openssl pkey -in OLD -aes256 -out NEW'
    : 'Encrypt it again: openssl pkey -provider legacy -provider default -in OLD -aes256 -out NEW';
  return new SecretsError('PRIVATE_KEY_UNSUPPORTED', what, { secret: alias, next: convert });
}

export function passphraseMissing(alias: string, what: string): SecretsError {
  return new SecretsError(
    'PASSPHRASE_MISSING',
    `the ${what} of "${alias}" is encrypted, but no passphrase is declared`,
    {
      secret: alias,
      next: "Declare the secret with its passphrase: { passphrase: 'name' }.",
    },
  );
}

export function passphraseWrong(alias: string, what: string): SecretsError {
  return new SecretsError('PASSPHRASE_WRONG', `the passphrase does not decrypt the ${what} of "${alias}"`, {
    secret: alias,
    next: 'Store both again, together. The passphrase may belong to an older or newer file.',
  });
}
