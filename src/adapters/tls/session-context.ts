import { createHash } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

// OpenSSL accepts at most 32 bytes.
const LENGTH = 32;

/**
 * Derives the `sessionIdContext` of a server from its certificates and trusted authorities. OpenSSL resumes a
 * session only within the context in which it was made, so none outlives the certificate that its client saw, or
 * the authority that its client was checked against: neither a ticket, whatever its `ticketKeys`, nor a session in
 * the user's own cache. Processes that serve the same certificates derive the same value and keep sharing sessions.
 * nginx does the same.
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
