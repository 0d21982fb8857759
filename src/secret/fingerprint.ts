import { createHash, randomBytes } from 'node:crypto';

// A plain hash of a password can be looked up in a dictionary; with a key that never leaves the process it cannot.
// SHA-512/256 has no length extension, so a key in front is as good as HMAC, at half the time. The key fills one block.
const keyed = createHash('sha512-256').update(randomBytes(128));

/** A version id for bytes: the same for the same bytes in this process, and meaningless outside it. */
export function fingerprint(bytes: Uint8Array): string {
  return keyed.copy().update(bytes).digest('base64url');
}
