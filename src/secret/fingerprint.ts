import { builtin } from '../internal/builtins';

// A dictionary attack can reverse a plain hash of a password, but not an HMAC whose key never leaves the process.
let key: Buffer | undefined;

/** Returns a version id for bytes. Equal bytes have equal ids within this process; outside it, the id means nothing. */
export function fingerprint(bytes: Uint8Array): string {
  const { createHmac, randomBytes } = builtin('crypto');
  key ??= randomBytes(32);
  return createHmac('sha256', key).update(bytes).digest('base64url');
}
