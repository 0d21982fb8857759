import { AssertionError } from 'node:assert';
import type { Listenable } from '../internal/events';
import { ms, readOptions } from '../internal/options';
import { realDelay } from '../internal/real-time';
import type { CredentialEvents, RotationEvents } from '../rotation/types';
import type { SecretStore, StoreEvents } from '../store/types';

/** Options of `nextEvent`. */
export interface NextEventOptions {
  /** How long it waits, in milliseconds of real time. Default: 5 000. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Waits for the next event of a store, or of the rotation of a resource, and resolves with its payload. It subscribes at once:
 * call it before what causes the event, and await it after. The wait is in real time, whatever fake timers a test has, and
 * keeps the process alive, which a store does not.
 *
 * Rejects with an `AssertionError` after `timeoutMs`, with `STORE_CLOSED`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * const changed = nextEvent(secrets, 'change');
 * await mount.rotate({ 'database-password': 'b' });
 * const { generation } = await changed;
 * ```
 */
export function nextEvent<V, E extends keyof StoreEvents>(
  store: Pick<SecretStore<V>, 'once' | 'snapshot'>,
  event: E,
  options?: NextEventOptions,
): Promise<StoreEvents<keyof V & string>[E]>;
export function nextEvent<E extends keyof RotationEvents>(
  rotation: Listenable<RotationEvents>,
  event: E,
  options?: NextEventOptions,
): Promise<RotationEvents[E]>;
export function nextEvent<E extends keyof CredentialEvents>(
  rotation: Listenable<RotationEvents & CredentialEvents>,
  event: E,
  options?: NextEventOptions,
): Promise<CredentialEvents[E]>;
export async function nextEvent(
  emitter: { once(event: never, listener: (payload: unknown) => void, options: object): unknown },
  event: string,
  options?: NextEventOptions,
): Promise<unknown> {
  // The longest timer of Node.
  const { timeoutMs } = readOptions('nextEvent', options, { timeoutMs: ms(5_000, { most: 2_147_483_647 }) });
  const waiting = new AbortController();
  try {
    return await new Promise((resolve, reject) => {
      emitter.once(event as never, resolve, { signal: waiting.signal });
      void realDelay(timeoutMs, waiting.signal).then(() =>
        reject(new AssertionError({ message: `no "${event}" event came within ${timeoutMs} ms` })),
      );
    });
  } finally {
    waiting.abort();
  }
}
