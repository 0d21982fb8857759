import type { KeyObject, X509Certificate } from 'node:crypto';

/** A leaf with what else belongs to it. */
export interface Chain {
  /** The certificate of the key. */
  readonly leaf: X509Certificate;
  /** Its issuers, each before its own issuer; cross-signed alternatives after that. */
  readonly issuers: readonly X509Certificate[];
  /** How many certificates belong to neither. */
  readonly unrelated: number;
}

/**
 * Puts certificates that may come in any order into the order that TLS wants: leaf first (RFC 8446, 4.4.2). Node takes
 * the first one as the leaf, whatever it is. `undefined` when no certificate is that of the key.
 */
export function orderChain(certificates: readonly X509Certificate[], key: KeyObject): Chain | undefined {
  const distinct = [...new Map(certificates.map((one) => [one.fingerprint256, one])).values()];
  const leaf = distinct.filter((one) => one.checkPrivateKey(key)).sort(newestFirst)[0];
  if (leaf === undefined) return undefined;
  const rest = new Set(distinct.filter((one) => one !== leaf));
  const issuers: X509Certificate[] = [];
  // First the way up from the leaf, then whatever else issued a part of it.
  for (let at = leaf, next = issuerOf(at, rest); next !== undefined; at = next, next = issuerOf(at, rest)) {
    rest.delete(next);
    issuers.push(next);
  }
  for (const member of [leaf, ...issuers]) {
    for (let next = issuerOf(member, rest); next !== undefined; next = issuerOf(member, rest)) {
      rest.delete(next);
      issuers.push(next);
    }
  }
  return { leaf, issuers, unrelated: rest.size };
}

function issuerOf(member: X509Certificate, among: ReadonlySet<X509Certificate>): X509Certificate | undefined {
  return [...among].find((one) => member.checkIssued(one) && member.verify(one.publicKey));
}

/** A certificate that was renewed with the key it had. */
function newestFirst(one: X509Certificate, other: X509Certificate): number {
  return Date.parse(other.validFrom) - Date.parse(one.validFrom);
}
