import { createHash } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

// OpenSSL takes 32 bytes.
const LENGTH = 32;

/**
 * The `sessionIdContext` of a server that shows these certificates and trusts these authorities. OpenSSL resumes a
 * session only within the context that it was made in, so that none outlives the certificate that its client saw, or
 * the authority that its client was checked against: neither a ticket, wherever its `ticketKeys` are, nor a session in
 * the user's own cache. Processes that serve the same certificates have the same context, and keep sharing sessions.
 * nginx derives it in the same way.
 */
export function sessionContext(
  base: string | undefined,
  served: readonly Pick<SecureContextOptions, 'cert' | 'pfx' | 'ca' | 'crl'>[],
): string {
  const hash = createHash('sha256').update(base ?? '');
  for (const { cert, pfx, ca, crl } of served) {
    for (const material of [cert, pfx, ca, crl].flatMap(parts)) hash.update(material).update('\0');
    hash.update('\0');
  }
  return hash.digest('hex').slice(0, LENGTH);
}

function parts(material: SecureContextOptions['cert' | 'pfx']): (string | Buffer)[] {
  if (material === undefined) return [];
  if (!Array.isArray(material)) return [material];
  return material.map((one) =>
    typeof one === 'object' && 'buf' in one ? one.buf : (one as string | Buffer),
  );
}
