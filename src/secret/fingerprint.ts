import { builtin } from '../internal/builtins';

// A plain hash of a password can be looked up in a dictionary; with a key that never leaves the process it cannot.
let key: Buffer | undefined;

/** A version id for bytes: the same for the same bytes in this process, and meaningless outside it. */
export function fingerprint(bytes: Uint8Array): string {
  const { createHmac, randomBytes } = builtin('crypto');
  key ??= randomBytes(32);
  return createHmac('sha256', key).update(bytes).digest('base64url');
}
