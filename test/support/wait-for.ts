import { setTimeout as sleep } from 'node:timers/promises';

/** Options of `waitFor`. */
export interface WaitForOptions {
  /** Default: 10 000. */
  readonly timeoutMs?: number;
  /** Shown when the wait was in vain. */
  readonly what?: string;
}

/** Waits until `condition` returns something truthy, and returns that. A throw counts as "not yet". */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = 10_000, what = 'the condition' }: WaitForOptions = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let last: unknown;
    try {
      const result = await condition();
      if (result) return result;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${what}.`, { cause: last });
    }
    await sleep(5);
  }
}
