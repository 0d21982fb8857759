import type { KeyObject, X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';

/** Certificates that were parsed last, by their PEM. A rotation examines each of its certificates several times. */
const parsed = new Map<string, X509Certificate>();
const MAX_REMEMBERED = 64;

/** @throws The error of OpenSSL if the PEM is damaged. */
export function parseCertificate(pem: string): X509Certificate {
  const key = pem.trim();
  const certificate = parsed.get(key) ?? new (builtin('crypto').X509Certificate)(key);
  parsed.delete(key);
  parsed.set(key, certificate);
  const [oldest] = parsed.keys();
  if (parsed.size > MAX_REMEMBERED && oldest !== undefined) parsed.delete(oldest);
  return certificate;
}

/** @throws `CERTIFICATE_NOT_YET_VALID`; and `CERTIFICATE_EXPIRED`, unless `expired` is `warn`. */
export function assertValidNow(alias: string, leaf: X509Certificate, expired: 'reject' | 'warn'): void {
  const now = Date.now();
  const from = new Date(leaf.validFrom);
  if (from.getTime() > now) {
    const what = `the certificate of "${alias}" is not valid before ${from.toISOString()}`;
    throw new SecretsError('CERTIFICATE_NOT_YET_VALID', what, {
      secret: alias,
      next: 'Compare the clocks of this machine and the issuer. Each poll checks the certificate again.',
    });
  }
  if (expired === 'reject' && isExpired(leaf)) throw certificateExpired(alias, leaf);
}

export function isExpired(certificate: X509Certificate): boolean {
  return Date.parse(certificate.validTo) <= Date.now();
}

export function certificateExpired(alias: string, { validTo }: X509Certificate): SecretsError {
  const what = `the certificate of "${alias}" expired at ${new Date(validTo).toISOString()}`;
  return new SecretsError('CERTIFICATE_EXPIRED', what, {
    secret: alias,
    next: "Renew it at its issuer. To use an expired certificate, set expired: 'warn'.",
  });
}

/** Returns an error that names the host names that the certificate does not cover; `undefined` if it covers all. */
export function hostMismatch(
  alias: string,
  leaf: X509Certificate,
  hostNames: readonly string[],
): SecretsError | undefined {
  const { isIP } = builtin('net');
  const matches = (host: string) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host));
  const others = hostNames.filter((host) => matches(host) === undefined);
  if (others.length === 0) return undefined;
  const names = leaf.subjectAltName ?? 'no name';
  const what = `the certificate of "${alias}" does not cover ${others.join(', ')} (it covers ${names})`;
  return new SecretsError('CERTIFICATE_HOST_MISMATCH', what, {
    secret: alias,
    next: 'Issue a certificate for these names, or correct hostNames. This one stays in use.',
  });
}

/** Returns the common name of a certificate, or its first host name. */
export function subjectOf({ subject, subjectAltName }: X509Certificate): string {
  const commonName = /^CN=(.*)$/m.exec(subject ?? '')?.[1];
  return commonName ?? subjectAltName?.split(',', 1)[0]?.replace(/^\w+( Address)?:/, '') ?? 'a certificate';
}

/** A leaf certificate and its issuers. */
export interface Chain {
  /** The certificate that belongs to the key. */
  readonly leaf: X509Certificate;
  /** Each certificate precedes its issuer. Cross-signed alternatives follow. */
  readonly issuers: readonly X509Certificate[];
  /** Other certificates. */
  readonly unrelated: readonly X509Certificate[];
}

/**
 * Sorts certificates into the order that TLS requires, leaf first (RFC 8446, 4.4.2). Node uses the first certificate as the
 * leaf. Returns `undefined` if no certificate belongs to the key.
 */
export function orderChain(certificates: readonly X509Certificate[], key: KeyObject): Chain | undefined {
  const distinct = [...new Map(certificates.map((one) => [one.fingerprint256, one])).values()];
  const leaf = distinct.filter((one) => one.checkPrivateKey(key)).sort(newestFirst)[0];
  if (leaf === undefined) return undefined;
  const rest = new Set(distinct.filter((one) => one !== leaf));
  const issuers: X509Certificate[] = [];
  // Add the path up from the leaf, then other issuers of its members.
  for (let at = leaf, next = issuedBy(at, rest); next !== undefined; at = next, next = issuedBy(at, rest)) {
    rest.delete(next);
    issuers.push(next);
  }
  for (const member of [leaf, ...issuers]) {
    for (let next = issuedBy(member, rest); next !== undefined; next = issuedBy(member, rest)) {
      rest.delete(next);
      issuers.push(next);
    }
  }
  return { leaf, issuers, unrelated: [...rest] };
}

/** Returns the certificate that issued `member`: a valid one, if there are several. */
export function issuedBy(
  member: X509Certificate,
  among: Iterable<X509Certificate>,
): X509Certificate | undefined {
  const issuers = [...among].filter((one) => isIssuer(one, member));
  return issuers.find((one) => !isExpired(one)) ?? issuers[0];
}

/** By issuer and certificate. A signature takes longer to verify than everything else. */
const verified = new WeakMap<X509Certificate, WeakMap<X509Certificate, boolean>>();

function isIssuer(issuer: X509Certificate, member: X509Certificate): boolean {
  const known = verified.get(issuer) ?? new WeakMap<X509Certificate, boolean>();
  verified.set(issuer, known);
  const found = known.get(member) ?? (member.checkIssued(issuer) && member.verify(issuer.publicKey));
  known.set(member, found);
  return found;
}

/** Puts the newest certificate first, because a reissued certificate may keep its key. */
function newestFirst(one: X509Certificate, other: X509Certificate): number {
  return Date.parse(other.validFrom) - Date.parse(one.validFrom);
}
