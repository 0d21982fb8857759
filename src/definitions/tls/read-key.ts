import { SecretsError } from '../../errors';
import { assertNotEmpty } from '../decode';
import type { ValueTraits } from '../definition';
import type { KeyMaterial } from './material';
import { parseTlsParts } from './parts';
import { readPrivateKey } from './private-key';

export const describeKey: ValueTraits<KeyMaterial> = {
  sensitive: ({ key }) => key,
};

/**
 * Reads a private key without a certificate.
 * @throws `VALUE_EMPTY`, `PFX_INVALID`, `PRIVATE_KEY_…`, `PASSPHRASE_…`.
 */
export function readKey(alias: string, stored: Uint8Array, passphrase: string | undefined): KeyMaterial {
  assertNotEmpty(alias, stored.length);
  const { keys, pfx, others, certificates } = parseTlsParts(alias, stored, 'private key');
  if (pfx.length > 0) {
    throw new SecretsError('PFX_INVALID', `"${alias}" is a PFX, but a private key is expected`, {
      secret: alias,
      next: 'Use secret.tls, or convert it: openssl pkcs12 -in FILE -nocerts -nodes -out NEW',
    });
  }
  const read = readPrivateKey(alias, keys, passphrase);
  if (read !== undefined) return Object.freeze({ key: read.pem, keyObject: read.key });
  const found = others[0]?.what ?? (certificates.length > 0 ? 'a certificate' : 'something else');
  throw new SecretsError('PRIVATE_KEY_MISSING', `"${alias}" has ${found}, but no private key`, {
    secret: alias,
    next: 'Store the private key as PEM.',
  });
}
