import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { SecretsError } from '../../errors';

/** Refuses a leaf outside its dates; an expired one only where that is asked for. */
export function assertValidNow(alias: string, leaf: X509Certificate, expired: 'reject' | 'warn'): void {
  const now = Date.now();
  const from = new Date(leaf.validFrom);
  if (from.getTime() > now) {
    const what = `the certificate of "${alias}" is valid only from ${from.toISOString()} on`;
    throw new SecretsError('CERTIFICATE_NOT_YET_VALID', what, {
      secret: alias,
      next: 'It is looked at again at each poll. Check the clocks of this machine and of its issuer.',
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
    next: "Renew it where it is issued. With expired: 'warn' it would be used all the same.",
  });
}

/** Says which of the host names the certificate is not for, if any. */
export function hostMismatch(
  alias: string,
  leaf: X509Certificate,
  hostNames: readonly string[],
): SecretsError | undefined {
  const matches = (host: string) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host));
  const others = hostNames.filter((host) => matches(host) === undefined);
  if (others.length === 0) return undefined;
  const names = leaf.subjectAltName ?? 'no name';
  const what = `the certificate of "${alias}" is not for ${others.join(', ')} (it is for ${names})`;
  return new SecretsError('CERTIFICATE_HOST_MISMATCH', what, {
    secret: alias,
    next: 'It is served all the same. Issue it for these names, or correct hostNames.',
  });
}

/** The common name, else the first host name: what people call a certificate. */
export function subjectOf({ subject, subjectAltName }: X509Certificate): string {
  const commonName = /^CN=(.*)$/m.exec(subject ?? '')?.[1];
  return commonName ?? subjectAltName?.split(',', 1)[0]?.replace(/^\w+( Address)?:/, '') ?? 'a certificate';
}
