import type { KeyObject } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';

export interface PrivateKey {
  readonly key: KeyObject;
  /** The decrypted key as PEM. */
  readonly pem: string;
}

/**
 * Reads the private key, which must be unique in `keys` apart from copies.
 * @throws `PRIVATE_KEY_AMBIGUOUS`, `PRIVATE_KEY_INVALID`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`.
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
  } catch {
    // A wrong passphrase causes bad padding, or decrypts to garbage.
    if (encrypted) throw passphraseWrong(alias, 'private key');
    throw new SecretsError('PRIVATE_KEY_INVALID', `the private key of "${alias}" cannot be parsed`, {
      secret: alias,
      next: 'Check the stored file: openssl pkey -in FILE -noout',
    });
  }
}

export function passphraseMissing(alias: string, what: string): SecretsError {
  return new SecretsError(
    'PASSPHRASE_MISSING',
    `the ${what} of "${alias}" is encrypted, but no passphrase is declared`,
    {
      secret: alias,
      next: "Declare the secret with its passphrase: secret.tls(…, { passphrase: 'name' }).",
    },
  );
}

export function passphraseWrong(alias: string, what: string): SecretsError {
  return new SecretsError('PASSPHRASE_WRONG', `the passphrase does not decrypt the ${what} of "${alias}"`, {
    secret: alias,
    next: 'Store both again, together. The passphrase may belong to an older or newer file.',
  });
}
