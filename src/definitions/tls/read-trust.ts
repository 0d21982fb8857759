import { SecretsError } from '../../errors';
import { assertNotEmpty } from '../decode';
import type { TlsTrust } from './material';
import { takeApart } from './parts';
import { pemOf } from './pem';

/** Reads certificates to trust. Throws `VALUE_EMPTY`, `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`. */
export function readTrust(alias: string, stored: Uint8Array): TlsTrust {
  assertNotEmpty(alias, stored.length);
  const { certificates } = takeApart(alias, stored);
  if (certificates.length === 0) {
    throw new SecretsError('CERTIFICATE_MISSING', `"${alias}" holds no certificate to trust`, {
      secret: alias,
      next: 'Store the certificates of the authorities, as PEM.',
    });
  }
  return { ca: certificates.map(({ raw }) => pemOf('CERTIFICATE', raw)) };
}
