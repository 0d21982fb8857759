import type { X509Certificate } from 'node:crypto';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { isExpired, issuedBy, parseCertificate, subjectOf } from './certificates';

/** Curves that TLS libraries offer for certificates: those of RFC 8422 and, if both sides are configured for them, RFC 7027. */
const CURVES = [
  ...['prime256v1', 'secp384r1', 'secp521r1'],
  ...['brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1'],
];

/** Extended key usages, and the older ones that mean the same. */
const PURPOSES = {
  server: ['1.3.6.1.5.5.7.3.1', '1.3.6.1.4.1.311.10.3.3', '2.16.840.1.113730.4.1', '2.5.29.37.0'],
  client: ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'],
} as const;

/** The side of a connection on which a pair is used. */
export type Use = keyof typeof PURPOSES;

/**
 * Checks what no peer accepts, whatever it trusts: a type of key that TLS does not offer, an issuer that is not an authority or
 * may not stand here, and an intermediate that has the name of the issuer but did not issue the certificate. An issuer
 * may be absent, because the peer may have it.
 * @throws `CERTIFICATE_KEY_UNSUPPORTED`, `CERTIFICATE_CHAIN_BROKEN`.
 */
export function assertChain(alias: string, leaf: X509Certificate, others: readonly X509Certificate[]): void {
  assertKey(alias, leaf);
  const path = pathOf(leaf, others);
  for (const [index, issuer] of path.slice(1).entries()) {
    if (isSelfIssued(issuer)) continue;
    if (!issuer.ca) throw broken(alias, `${named(issuer)} is not an authority`);
    if (index > (pathLength(issuer) ?? index)) {
      throw broken(alias, `${named(issuer)} allows fewer authorities below it`);
    }
  }
  const top = path.at(-1) as X509Certificate;
  const namesake = others.find((one) => one.subject === top.issuer && !isSelfIssued(one));
  if (isSelfIssued(top) || namesake === undefined) return;
  throw broken(alias, `${named(namesake)} did not issue ${named(top)}, or may not issue certificates`);
}

/** Checks the dates of the issuers. @throws `CERTIFICATE_NOT_YET_VALID`; and `CERTIFICATE_EXPIRED`, unless `expired` is `warn`. */
export function assertIssuersValidNow(
  alias: string,
  leaf: X509Certificate,
  issuers: readonly X509Certificate[],
  expired: 'reject' | 'warn',
): void {
  const early = pathOf(leaf, issuers).find(
    (one) => !isSelfIssued(one) && Date.parse(one.validFrom) > Date.now(),
  );
  if (early !== undefined) {
    const what = `the issuer ${named(early)} of "${alias}" is not valid before ${new Date(early.validFrom).toISOString()}`;
    throw new SecretsError('CERTIFICATE_NOT_YET_VALID', what, {
      secret: alias,
      next: 'Compare the clocks of this machine and the issuer. Each poll checks the certificate again.',
    });
  }
  const problem = expired === 'reject' ? expiredIssuer(alias, leaf, issuers) : undefined;
  if (problem !== undefined) throw problem;
}

/**
 * Returns an error if an intermediate of the chain has expired and the chain has no other. A root does not count, because peers
 * use their own; nor does an old cross-signature for a public root.
 */
export function expiredIssuer(
  alias: string,
  leaf: X509Certificate,
  issuers: readonly X509Certificate[],
): SecretsError | undefined {
  const path = pathOf(leaf, issuers).slice(1);
  const expired = path.find((one) => isExpired(one) && !isSelfIssued(one) && !isPublicRoot(one));
  if (expired === undefined) return undefined;
  const what = `the issuer ${named(expired)} of "${alias}" expired at ${new Date(expired.validTo).toISOString()}`;
  return new SecretsError('CERTIFICATE_EXPIRED', what, {
    secret: alias,
    next: "Store the current chain of the issuer. To use an expired certificate, set expired: 'warn'.",
  });
}

/**
 * Checks that the certificates may be used on this side: the extended key usage of the leaf and of its issuers, and the key
 * usage of the leaf.
 * @throws `CERTIFICATE_PURPOSE_WRONG`.
 */
export function assertPurpose(
  name: string,
  use: Use,
  leaf: X509Certificate,
  others: readonly X509Certificate[],
): void {
  const allowed: readonly string[] = PURPOSES[use];
  const path = pathOf(leaf, others).filter((one) => one === leaf || !isSelfIssued(one));
  const wrong = path.find((one) => {
    const usages = extendedKeyUsages(one);
    return usages.length > 0 && !usages.some((usage) => allowed.includes(usage));
  });
  const found = wrong ?? (signs(leaf) ? undefined : leaf);
  if (found === undefined) return;
  const usage = wrong === undefined ? 'key usage digitalSignature' : `extended key usage ${use}Auth`;
  const what = `the certificate ${named(found)} of the ${name} lacks the ${usage}`;
  throw new SecretsError('CERTIFICATE_PURPOSE_WRONG', what, {
    next: `Issue a certificate for TLS ${use}s. The old pair stays in use.`,
  });
}

/** Object identifiers. Deno's `keyUsage` has the names of the other extension, such as `DigitalSignature`, instead. */
function extendedKeyUsages({ keyUsage = [] }: X509Certificate): string[] {
  return keyUsage.filter((usage) => /^\d/.test(usage));
}

/** Returns the certificates of a PEM text. */
export function certificatesOf(pem: string | Buffer): X509Certificate[] {
  const blocks = pem
    .toString()
    .match(/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END [A-Z0-9 ]+-----/g);
  return blocks?.map(parseCertificate) ?? [];
}

/** Returns the number of intermediates that a chain sends; `undefined` if its leaf needs none, since it is its own issuer. */
export function intermediates([leaf, ...others]: readonly X509Certificate[]): number | undefined {
  if (leaf === undefined || isSelfIssued(leaf)) return undefined;
  return pathOf(leaf, others).filter((one) => one !== leaf && !isSelfIssued(one)).length;
}

/** Returns the leaf and its issuers up to the first that is absent. Of several versions of an issuer it takes a valid one. */
function pathOf(leaf: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const path = [leaf];
  for (let at: X509Certificate | undefined = leaf; at !== undefined && !isSelfIssued(at); ) {
    at = issuedBy(
      at,
      others.filter((one) => !path.includes(one)),
    );
    if (at !== undefined) path.push(at);
  }
  return path;
}

function assertKey(alias: string, leaf: X509Certificate): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails } = leaf.publicKey;
  const curve = asymmetricKeyDetails?.namedCurve ?? '';
  if (type !== 'dsa' && (type !== 'ec' || CURVES.includes(curve))) return;
  const what = `the key of "${alias}" is on the curve ${curve}, which TLS does not offer`;
  throw new SecretsError(
    'CERTIFICATE_KEY_UNSUPPORTED',
    type === 'dsa' ? `the key of "${alias}" is a DSA key, which TLS no longer offers` : what,
    { secret: alias, next: 'Issue a certificate for a key on P-256, or an RSA key.' },
  );
}

function broken(alias: string, why: string): SecretsError {
  return new SecretsError('CERTIFICATE_CHAIN_BROKEN', `no client accepts the chain of "${alias}": ${why}`, {
    secret: alias,
    next: 'Store the chain that came with the certificate.',
  });
}

function isSelfIssued({ subject, issuer }: X509Certificate): boolean {
  return subject === issuer;
}

function isPublicRoot({ subject, publicKey }: X509Certificate): boolean {
  return builtin('tls').rootCertificates.some((pem) => {
    const root = new (builtin('crypto').X509Certificate)(pem);
    return root.subject === subject && root.publicKey.equals(publicKey);
  });
}

function named(certificate: X509Certificate): string {
  return `"${subjectOf(certificate)}"`;
}

// Node does not expose these two extensions.
const BASIC_CONSTRAINTS = Buffer.from('0603551d13', 'hex');
const KEY_USAGE = Buffer.from('0603551d0f', 'hex');

/** Returns the value of a short extension (RFC 5280, 4.2). */
function extension({ raw }: X509Certificate, identifier: Buffer): Buffer | undefined {
  const found = raw.indexOf(identifier);
  if (found === -1) return undefined;
  // The value follows an optional BOOLEAN as an OCTET STRING.
  const critical = found + identifier.length;
  const at = raw[critical] === 0x01 ? critical + 3 : critical;
  return raw[at] === 0x04 ? raw.subarray(at + 2, at + 2 + (raw[at + 1] ?? 0)) : undefined;
}

/** The number of authorities that may stand between this one and the leaf. */
function pathLength(certificate: X509Certificate): number | undefined {
  const value = extension(certificate, BASIC_CONSTRAINTS);
  const at = value?.[2] === 0x01 ? 5 : 2;
  return value?.[at] === 0x02 ? value[at + 2] : undefined;
}

/** Tells whether the key may sign or agree on handshakes: digitalSignature, keyEncipherment or keyAgreement, if any is named. */
function signs(leaf: X509Certificate): boolean {
  const value = extension(leaf, KEY_USAGE);
  return value === undefined || ((value[3] ?? 0) & 0b1010_1000) !== 0;
}
