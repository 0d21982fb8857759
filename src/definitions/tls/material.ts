import type { KeyObject, X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import type { Expiry, ValueTraits } from '../definition';
import { certificateExpired, hostMismatch, isExpired, subjectOf } from './certificates';
import { expiredIssuer } from './chain';

/**
 * A validated certificate with its key, whatever their stored encoding. Spread it into Node's TLS options. It is shared, not
 * copied: treat it as read-only.
 */
export interface TlsMaterial {
  /** PEM: the leaf first, then its chain. */
  readonly cert: string;
  /** PEM, decrypted. */
  readonly key: string;
  /** PEM, one certificate each. */
  readonly ca?: string[];
  /** The certificate that peers see. */
  readonly leaf: X509Certificate;
}

/** Trusted certificates, without a pair. */
export interface TlsTrust {
  /** PEM, one certificate each. */
  readonly ca: string[];
}

/** A private key that was checked. It is shared, not copied: treat it as read-only. */
export interface KeyMaterial {
  /** PEM, decrypted: what libraries take, such as jsonwebtoken, Octokit and APNs clients. */
  readonly key: string;
  /** The same key for `node:crypto` and jose. It has the type of the key, and prints without it. */
  readonly keyObject: KeyObject;
}

/** Facts about a pair that are not part of its value. */
interface Facts {
  readonly issuers: readonly X509Certificate[];
  /** Number of certificates that were dropped, because they do not belong to the chain of the leaf. */
  readonly unrelated: number;
}

const known = new WeakMap<TlsMaterial, Facts>();

/** Stores facts about `material` and returns it. */
export function remember(material: TlsMaterial, facts: Facts): TlsMaterial {
  known.set(material, facts);
  return material;
}

export const describeTrust: ValueTraits<TlsTrust> = {
  isSame: ({ ca }, other) => isSameSet(ca, other.ca),
  expiries: ({ ca }) => expiriesOfCa(ca),
  // Certificates are public, so `redact` leaves them readable.
  sensitive: () => [],
};

export function describeMaterial(alias: string, hostNames: readonly string[]): ValueTraits<TlsMaterial> {
  return {
    warnings(material) {
      const unrelated = known.get(material)?.unrelated ?? 0;
      return [
        isExpired(material.leaf)
          ? certificateExpired(alias, material.leaf)
          : expiredIssuer(alias, material.leaf, known.get(material)?.issuers ?? []),
        hostMismatch(alias, material.leaf, hostNames),
        unrelated > 0 ? unrelatedCertificates(alias, unrelated) : undefined,
      ].filter((warning) => warning !== undefined);
    },
    expiries(material) {
      const issuers = known.get(material)?.issuers ?? [];
      return [
        expiryOf('leaf', material.leaf),
        ...issuers.map((one) => expiryOf('chain', one)),
        ...expiriesOfCa(material.ca ?? []),
      ];
    },
    isSame: (one, other) =>
      one.cert === other.cert && one.key === other.key && isSameSet(one.ca ?? [], other.ca ?? []),
    sensitive: ({ key }) => key,
  };
}

/** Kubernetes shuffles the certificates of a trust bundle when it writes them. */
function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && new Set([...one, ...other]).size === new Set(one).size;
}

function expiriesOfCa(ca: readonly string[]): Expiry[] {
  return ca.map((pem) => expiryOf('ca', new (builtin('crypto').X509Certificate)(pem)));
}

function expiryOf(what: Expiry['what'], certificate: X509Certificate): Expiry {
  return {
    what,
    subject: subjectOf(certificate),
    validFrom: new Date(certificate.validFrom),
    expiresAt: new Date(certificate.validTo),
  };
}

function unrelatedCertificates(alias: string, count: number): SecretsError {
  const what = `${count} certificates of "${alias}" do not belong to the chain of its leaf and are not sent`;
  return new SecretsError('CERTIFICATE_UNRELATED', what, {
    secret: alias,
    next: 'Store the chain that came with the certificate. Clients may need a missing issuer.',
  });
}
