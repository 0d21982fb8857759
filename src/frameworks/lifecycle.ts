import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { kindOf } from '../internal/options';
import { bounded } from '../internal/time';
import { assertStore } from '../store/assert-store';
import type { ChangeEvent, SecretStore, Snapshot } from '../store/types';

/** What a hook receives along with the event. */
export interface RotationContext<V> {
  /** The generation of the event. */
  readonly snapshot: Snapshot<V>;
  /** Aborts after `hookTimeoutMs`, and when the store closes. */
  readonly signal: AbortSignal;
}

/**
 * Runs after each rotation, one run at a time and in order. A throw, a rejection, or a run that exceeds `hookTimeoutMs` is
 * an `error` event of the store (`LISTENER_FAILED`); the hook still runs for the next rotation.
 */
export type RotationHook<V> = (event: ChangeEvent, context: RotationContext<V>) => unknown;

type HookStore<V> = Pick<SecretStore<V>, 'on' | 'snapshot'>;

/** Runs a hook until the store closes. Returns a function that stops it. */
export function runHook<V>(store: HookStore<V>, hook: RotationHook<V>, timeoutMs: number): () => void {
  const over = new AbortController();
  let last: Promise<void> = Promise.resolve();
  const unsubscribeChange = store.on('change', (event) => {
    // An earlier listener may have closed the store.
    if (over.signal.aborted) return undefined;
    const snapshot = store.snapshot();
    const run = last.then(() => runOnce(hook, event, snapshot, timeoutMs, over.signal));
    last = run.catch(() => {});
    // The store turns a rejection into an error event, as for any listener.
    return run;
  });
  const stop = () => {
    unsubscribeChange();
    unsubscribeClose();
    over.abort();
  };
  const unsubscribeClose = store.on('close', stop);
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
  // Nothing waits for the hook once the store closes.
  const closed = new Promise<void>((resolve) => {
    abort = () => {
      controller.abort();
      resolve();
    };
  });
  over.addEventListener('abort', abort, { once: true });
  const late = () => {
    controller.abort();
    const next = 'Stop the work when `signal` aborts. The hook still runs for the next rotation.';
    return hookFailed(`did not end within ${timeoutMs} ms`, next);
  };
  const running = (async () => {
    await hook(event, { snapshot, signal: controller.signal });
  })().catch((error: unknown) => {
    throw hookFailed(`failed with ${describeError(error)}`, 'The rotation itself succeeded; fix the hook.');
  });
  try {
    await Promise.race([bounded(running, timeoutMs, late), closed]);
  } finally {
    over.removeEventListener('abort', abort);
  }
}

function hookFailed(what: string, next: string): SecretsError {
  return new SecretsError('LISTENER_FAILED', `the hook onRotate ${what}`, { next });
}

/** The parts of a server (`node:http`, `node:https`, `node:http2`, `@hono/node-server`) that `closeWithServer` needs. */
export interface ClosingServer {
  once(event: 'close', listener: () => void): unknown;
}

/**
 * Closes the store once the server has closed, after its last request. Use it with frameworks that do not report the end of
 * an application. Resolves when the store is closed too.
 *
 * Throws `OPTION_INVALID` without a server or a store.
 *
 * @example
 * ```ts
 * const server = app.listen(8080);
 * void closeWithServer(server, secrets);
 * process.once('SIGTERM', () => server.close());
 * ```
 */
export function closeWithServer(
  server: ClosingServer,
  store: Pick<SecretStore<unknown>, 'close'>,
): Promise<void> {
  const where = 'closeWithServer';
  if (typeof server?.once !== 'function') {
    const what = `${where}: the server must be what listen() returns, not ${kindOf(server)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: `Call ${where}(server, store).` });
  }
  assertStore(where, store, ['close']);
  return new Promise((resolve) => {
    // The close of a store never rejects.
    server.once('close', () => resolve(store.close()));
  });
}
