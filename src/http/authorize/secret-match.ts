import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { SecretsError } from '../../errors';
import type { SecretStore } from '../../store/types';

/**
 * Compares what somebody shows with a secret of the store: its current value, and the one before it within its grace. The
 * store is asked at once, where an error can still keep the process from starting.
 *
 * @throws `NAME_UNKNOWN`, `OPTION_INVALID` for a secret that is neither text nor bytes.
 */
export function secretMatch<V>(
  where: string,
  store: SecretStore<V>,
  name: keyof V & string,
): (shown: string) => boolean {
  // Digests of one length, by a key of this process: how long a comparison takes says nothing about the secret.
  const key = randomBytes(32);
  const digest = (value: string | Uint8Array) => createHmac('sha256', key).update(value).digest();

  function values(): (string | Uint8Array)[] {
    const all: readonly unknown[] = store.revealWithPrevious(name);
    return all.map((value) => {
      if (typeof value === 'string' || value instanceof Uint8Array) return value;
      throw new SecretsError('OPTION_INVALID', `the secret "${name}" of ${where} is neither text nor bytes`, {
        secret: name,
      });
    });
  }

  values();
  return (shown) => {
    const given = digest(shown);
    // Each is compared, whichever matches.
    return values()
      .map((value) => timingSafeEqual(digest(value), given))
      .includes(true);
  };
}
