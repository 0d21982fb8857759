import { AsyncResource } from 'node:async_hooks';

// Made when the package loads: outside of every request.
const outside = new AsyncResource('hot-secrets');

/**
 * Runs work that nobody asked for. A timer or a watch that was armed during a request goes on in its async context for
 * good; without this, what a poll finds hours later would be traced as a part of that request.
 */
export function detached<T>(run: () => T): T {
  return outside.runInAsyncScope(run);
}
