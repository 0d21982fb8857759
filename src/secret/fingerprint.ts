import type { Hash } from 'node:crypto';
import { builtin } from '../internal/builtins';

// A dictionary attack can reverse a plain hash of a password, but not a hash with a key that never leaves the process.
// SHA-512/256 has no length extension, so a key in front is as good as HMAC, at half the time. The key fills one block.
let keyed: Hash | undefined;

/** Returns a version id for bytes. Equal bytes have equal ids within this process; outside it, the id means nothing. */
export function fingerprint(bytes: Uint8Array): string {
  const { createHash, randomBytes } = builtin('crypto');
  keyed ??= createHash('sha512-256').update(randomBytes(128));
  return keyed.copy().update(bytes).digest('base64url');
}
