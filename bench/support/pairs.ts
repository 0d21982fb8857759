import { X509Certificate } from 'node:crypto';
import type { Authority, IssueOptions } from '../../test/support/certificates';

/** A certificate with its key as a mount holds them, and the serial number that the other side sees. */
export interface Pair {
  readonly serial: string;
  readonly cert: string;
  readonly key: string;
}

export async function issuePair(authority: Authority, options?: IssueOptions): Promise<Pair> {
  const { chain, key } = await authority.issue(options);
  return { serial: new X509Certificate(chain).serialNumber, cert: chain, key };
}

export function issuePairs(count: number, authority: Authority, options?: IssueOptions): Promise<Pair[]> {
  return Promise.all(Array.from({ length: count }, () => issuePair(authority, options)));
}

/** The content of a mount: `tls.crt` and `tls.key`, or the same with another prefix. */
export function filesOf({ cert, key }: Pair, prefix = 'tls'): Record<string, string> {
  return { [`${prefix}.crt`]: cert, [`${prefix}.key`]: key };
}
