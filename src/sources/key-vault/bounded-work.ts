import { unrefTimer } from '../../internal/time';

/** Settles as the work does, or rejects when the signal aborts: a credential, or a list, may not hear of that. */
export function untilAborted<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const aborted = () => {
      controller.abort();
      reject(new DOMException('it was not waited for', 'AbortError'));
    };
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    work(controller.signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', aborted));
  });
}

/** Does work with a signal that aborts after `ms`, or with any of `signals`. */
export async function withDeadline<T>(
  signals: readonly AbortSignal[],
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const cancel = unrefTimer(ms, abort);
  for (const signal of signals) {
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  }
  try {
    return await work(controller.signal);
  } finally {
    cancel();
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}
