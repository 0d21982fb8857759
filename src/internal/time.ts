import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';

// Held here, so that the fake timers of a test that is loaded later do not stop refreshes.
export const inAnotherTurn = setImmediate;

/** Resolves after `ms` or when `signal` aborts. Keeps the process alive, so use it only for short waits in awaited work. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Returns an exponential backoff with full jitter, so that the processes of a fleet do not retry together. */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random = Math.random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** Starts a timer that does not keep the process alive. `Infinity` means never. Node would fire at once above 2^31-1 ms. */
export function unrefTimer(ms: number, callback: () => void): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {};
  const timer = setTimeout(callback, Math.min(ms, 2_147_483_647));
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * Returns a signal that aborts with `signal` or after `ms`. It does not combine `AbortSignal.any` and `AbortSignal.timeout`,
 * because Node 20 may garbage-collect that pair before it fires.
 */
export function deadline(signal: AbortSignal, ms: number): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const cancel = unrefTimer(ms, abort);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return {
    signal: controller.signal,
    release() {
      cancel();
      signal.removeEventListener('abort', abort);
    },
  };
}

/** Settles as `promise` does, or rejects with `onTimeout()` after `ms`. Does not cancel the work of `promise`. */
export function bounded<T>(promise: Promise<T>, ms: number, onTimeout: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = unrefTimer(ms, () => reject(onTimeout()));
    promise.then(resolve, reject).finally(cancel);
  });
}

// Created when the package loads, outside the async context of any request.
const outside = new AsyncResource('hot-secrets');

/**
 * Runs background work outside the async context of a request. A timer or watch that starts during a request keeps its
 * context, so tracing would attribute a poll hours later to that request.
 */
export function detached<T>(run: () => T): T {
  return outside.runInAsyncScope(run);
}
