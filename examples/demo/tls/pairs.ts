import { X509Certificate } from 'node:crypto';
import type { Authority } from '../../../test/support/certificates';

/** Short, so that a server that stops following presents an expired certificate before the demo ends. */
export const LIFETIME_MS = 10_000;

/** The files for the mount, with the serial number that clients see. */
export interface Pair {
  readonly serial: string;
  readonly files: { readonly 'tls.crt': string; readonly 'tls.key': string };
}

export async function issuePair(authority: Authority): Promise<Pair> {
  const { chain, key } = await authority.issue({ notAfter: new Date(Date.now() + LIFETIME_MS) });
  return { serial: new X509Certificate(chain).serialNumber, files: { 'tls.crt': chain, 'tls.key': key } };
}

/** A certificate with the key of another, as if an operator had copied only one of the two files. */
export async function issueMismatch(authority: Authority): Promise<Pair> {
  const [one, other] = await Promise.all([issuePair(authority), issuePair(authority)]);
  return { serial: one.serial, files: { ...one.files, 'tls.key': other.files['tls.key'] } };
}
