import { constants, createHash } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';

// OpenSSL accepts at most 32 bytes.
const LENGTH = 32;

type Served = Pick<SecureContextOptions, 'cert' | 'pfx' | 'ca' | 'crl'>;

/**
 * Derives the `sessionIdContext` of a server from its certificates and trusted authorities. OpenSSL resumes a
 * session only within the context in which it was made, so none outlives the certificate that its client saw, or
 * the authority that its client was checked against: neither a ticket, whatever its `ticketKeys`, nor a session in
 * the user's own cache. Processes that serve the same certificates derive the same value and keep sharing sessions.
 * nginx does the same.
 */
export function sessionContext(base: string | undefined, served: readonly Served[]): string {
  const hash = createHash('sha256').update(base ?? '');
  for (const { cert, pfx, ca, crl } of served) {
    for (const material of [cert, pfx, ca, crl].flatMap(parts)) hash.update(material).update('\0');
    hash.update('\0');
  }
  return hash.digest('hex').slice(0, LENGTH);
}

/** Tells whether some of the names check their clients against other authorities than the rest. */
export function trustsDiffer(served: readonly Served[]): boolean {
  const trusts = served.map(({ ca, crl }) => {
    const hash = createHash('sha256');
    for (const material of [ca, crl]) {
      for (const part of parts(material).map(String).sort()) hash.update(part).update('\0');
      hash.update('\0');
    }
    return hash.digest('hex');
  });
  return new Set(trusts).size > 1;
}

/** Turns off tickets, and with them every resumption that does not use the caller's own cache. */
export function withoutTickets(options: SecureContextOptions): SecureContextOptions {
  return { ...options, secureOptions: (options.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET };
}

/**
 * Tells whether the runtime resumes a session only for the server name that it was made for. OpenSSL finds sessions through
 * the default context, before it knows the context of the name, so the options of a name cannot prevent it. Measured: Node does
 * since 22.23, 24.18 and 26.
 */
export function bindsSessionsToNames(versions: Readonly<Record<string, string | undefined>>): boolean {
  if (versions.bun !== undefined || versions.deno !== undefined) return false;
  const [major = 0, minor = 0] = (versions.node ?? '').split('.').map(Number);
  if (major === 22) return minor >= 23;
  return major === 24 ? minor >= 18 : major >= 26;
}

/**
 * Returns why the client certificate of a resumed session does not count, with a code of OpenSSL. A resumption checks no
 * certificate again: it may have expired, and for a client without one some versions of Node say `authorized`.
 */
export function resumedProblem(socket: TLSSocket): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return 'UNABLE_TO_GET_ISSUER_CERT';
  return Date.parse(certificate.validTo) <= Date.now() ? 'CERT_HAS_EXPIRED' : undefined;
}

function parts(material: SecureContextOptions['cert' | 'pfx']): (string | Buffer)[] {
  if (material === undefined) return [];
  if (!Array.isArray(material)) return [material];
  return material.map((one) =>
    typeof one === 'object' && 'buf' in one ? one.buf : (one as string | Buffer),
  );
}
