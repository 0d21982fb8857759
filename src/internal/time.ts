import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from 'node:timers';

// Held here, so that the fake timers of a test that is loaded later do not stop refreshes.
export const inAnotherTurn = setImmediate;

/** Resolves after `ms`, or as soon as `signal` aborts. For short waits in awaited work: it keeps the process alive. */
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

/** Full jitter: a random part of the exponential step, so that a fleet does not retry in step. */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random = Math.random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** A timer that does not keep the process alive. Node fires at once for anything above 2^31-1; `Infinity` means never. */
export function unrefTimer(ms: number, callback: () => void): () => void {
  if (ms === Number.POSITIVE_INFINITY) return () => {};
  const timer = setTimeout(callback, Math.min(ms, 2_147_483_647));
  timer.unref();
  return () => clearTimeout(timer);
}

/**
 * A signal that aborts with `signal`, or after `ms`. Not `AbortSignal.any` of an `AbortSignal.timeout`: on Node 20 that
 * pair can be garbage-collected before it fires.
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

/** Rejects with `onTimeout()` when `promise` takes longer than `ms`; the promise itself is left alone. */
export function bounded<T>(promise: Promise<T>, ms: number, onTimeout: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = unrefTimer(ms, () => reject(onTimeout()));
    promise.then(resolve, reject).finally(cancel);
  });
}

// Made when the package loads: outside of every request.
const outside = new AsyncResource('hot-secrets');

/**
 * Runs background work. A timer or a watch that was armed during a request stays in its async context for
 * good; without this, what a poll finds hours later would be traced as a part of that request.
 */
export function detached<T>(run: () => T): T {
  return outside.runInAsyncScope(run);
}
