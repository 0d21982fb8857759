import { X509Certificate } from 'node:crypto';
import type { Authority } from '../../../test/support/certificates';

/** Short, so that a server which does not follow is left with an expired one before the demo ends. */
export const LIFETIME_MS = 10_000;

/** What the mount gets, with the serial number that clients are shown. */
export interface Pair {
  readonly serial: string;
  readonly files: { readonly 'tls.crt': string; readonly 'tls.key': string };
}

export async function issuePair(authority: Authority): Promise<Pair> {
  const { chain, key } = await authority.issue({ notAfter: new Date(Date.now() + LIFETIME_MS) });
  return { serial: new X509Certificate(chain).serialNumber, files: { 'tls.crt': chain, 'tls.key': key } };
}

/** A certificate with the key of another one: somebody copied one file and not the other. */
export async function issueMismatch(authority: Authority): Promise<Pair> {
  const [one, other] = await Promise.all([issuePair(authority), issuePair(authority)]);
  return { serial: one.serial, files: { ...one.files, 'tls.key': other.files['tls.key'] } };
}
