import { X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import type { Expiry, ValueTraits } from '../definition';
import type { TlsMaterial, TlsTrust } from './material';
import { certificateExpired, hostMismatch, isExpired, subjectOf } from './validity';

/** What was seen while a pair was read, and is no part of its value. */
interface Seen {
  readonly issuers: readonly X509Certificate[];
  /** Certificates that were left out, because they belong to no chain of the leaf. */
  readonly unrelated: number;
}

const seen = new WeakMap<TlsMaterial, Seen>();

/** Notes what was seen while `material` was read, and returns it. */
export function remember(material: TlsMaterial, facts: Seen): TlsMaterial {
  seen.set(material, facts);
  return material;
}

export const describeTrust: ValueTraits<TlsTrust> = {
  expiries: ({ ca }) => expiriesOfCa(ca),
  // Nothing of it is secret; masked, it would hide the certificates in everybody's logs.
  sensitive: () => [],
};

export function describeMaterial(alias: string, hostNames: readonly string[]): ValueTraits<TlsMaterial> {
  return {
    warnings(material) {
      const unrelated = seen.get(material)?.unrelated ?? 0;
      return [
        isExpired(material.leaf) ? certificateExpired(alias, material.leaf) : undefined,
        hostMismatch(alias, material.leaf, hostNames),
        unrelated > 0 ? unrelatedCertificates(alias, unrelated) : undefined,
      ].filter((warning) => warning !== undefined);
    },
    expiries(material) {
      const issuers = seen.get(material)?.issuers ?? [];
      return [
        expiryOf('leaf', material.leaf),
        ...issuers.map((one) => expiryOf('chain', one)),
        ...expiriesOfCa(material.ca ?? []),
      ];
    },
    // Single lines too: logs cut a key at its line breaks.
    sensitive: ({ key = '', pfx, passphrase }) => [
      key,
      ...key.split('\n').filter((line) => !line.startsWith('-----')),
      pfx,
      passphrase,
    ],
  };
}

function expiriesOfCa(ca: readonly string[]): Expiry[] {
  return ca.map((pem) => expiryOf('ca', new X509Certificate(pem)));
}

function expiryOf(what: Expiry['what'], certificate: X509Certificate): Expiry {
  return { what, subject: subjectOf(certificate), expiresAt: new Date(certificate.validTo) };
}

function unrelatedCertificates(alias: string, count: number): SecretsError {
  const what = `${count} of the certificates of "${alias}" belong to no chain of its leaf, and are left out`;
  return new SecretsError('CERTIFICATE_UNRELATED', what, {
    secret: alias,
    next: 'Clients may lack an issuer: store the chain that came with the certificate.',
  });
}
