import { unrefTimer } from '../internal/time';

/** Writers touch several files one after the other; a look in the middle would only be repeated. */
const GATHER_MS = 25;

/** Many calls of `soon` within a short while become one call of `hint`, at the end of it. */
export function gathered(hint: () => void): { soon(): void; cancel(): void } {
  let cancel: (() => void) | undefined;
  return {
    soon() {
      cancel ??= unrefTimer(GATHER_MS, () => {
        cancel = undefined;
        hint();
      });
    },
    cancel() {
      cancel?.();
      cancel = undefined;
    },
  };
}
