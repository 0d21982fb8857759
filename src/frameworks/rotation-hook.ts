import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded } from '../internal/time';
import type { ChangeEvent, SecretStore, Snapshot } from '../store/types';

/** What a hook gets beside the event. */
export interface RotationContext<V> {
  /** The generation that the event is about. */
  readonly snapshot: Snapshot<V>;
  /** Aborts at `hookTimeoutMs`, and when the store closes. */
  readonly signal: AbortSignal;
}

/**
 * Runs after each rotation, one run at a time and in order. A throw, a rejection, or no end within `hookTimeoutMs` is an
 * `error` event of the store (`LISTENER_FAILED`), and the next rotation finds the hook free again.
 */
export type RotationHook<V> = (event: ChangeEvent, context: RotationContext<V>) => unknown;

type HookStore<V> = Pick<SecretStore<V>, 'on' | 'snapshot'>;

/** Runs a hook until the store closes. Returns what stops it. */
export function runHook<V>(store: HookStore<V>, hook: RotationHook<V>, timeoutMs: number): () => void {
  const over = new AbortController();
  let last: Promise<void> = Promise.resolve();
  const unhook = store.on('change', (event) => {
    // A listener before this one may have closed the store.
    if (over.signal.aborted) return undefined;
    const snapshot = store.snapshot();
    const run = last.then(() => runOnce(hook, event, snapshot, timeoutMs, over.signal));
    last = run.catch(() => {});
    // What the run rejects with becomes an error event, as that of any listener.
    return run;
  });
  const stop = () => {
    unhook();
    unsubscribe();
    over.abort();
  };
  const unsubscribe = store.on('close', stop);
  return stop;
}

async function runOnce<V>(
  hook: RotationHook<V>,
  event: ChangeEvent,
  snapshot: Snapshot<V>,
  timeoutMs: number,
  over: AbortSignal,
): Promise<void> {
  if (over.aborted) return;
  const controller = new AbortController();
  let abort = () => {};
  // The store is closing: nobody waits for a hook any more.
  const closed = new Promise<void>((resolve) => {
    abort = () => {
      controller.abort();
      resolve();
    };
  });
  over.addEventListener('abort', abort, { once: true });
  const late = () => {
    controller.abort();
    const next = 'It should heed its signal. The next rotation calls it again.';
    return failed(`did not end within ${timeoutMs} ms`, next);
  };
  const running = (async () => {
    await hook(event, { snapshot, signal: controller.signal });
  })().catch((error: unknown) => {
    throw failed(`failed with ${describeError(error)}`, 'The rotation itself succeeded; mend the hook.');
  });
  try {
    await Promise.race([bounded(running, timeoutMs, late), closed]);
  } finally {
    over.removeEventListener('abort', abort);
  }
}

function failed(what: string, next: string): SecretsError {
  return new SecretsError('LISTENER_FAILED', `the hook onRotate ${what}`, { next });
}
