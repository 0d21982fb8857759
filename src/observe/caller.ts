import { dirname, sep } from 'node:path';
import { ownFile, pathOf } from '../internal/own-file';

const FRAMES = 16;
// Matches paths and URLs, which excludes frames of Node (`node:…`) and of native code.
const FRAME = /^\s+at (?:async )?(?:.*? \()?((?:[a-z][a-z0-9+.-]*:\/\/|\/|[A-Za-z]:\\).*?)(:\d+:\d+)\)?$/;

/**
 * Returns the location of the code that called `below`, a function on the stack: the nearest frame under it that belongs
 * neither to this package nor to Node.
 */
export function callerOutside(below: (...args: never[]) => unknown): string | undefined {
  const stack = stackBelow(below);
  // A custom `Error.prepareStackTrace` may return anything.
  if (typeof stack !== 'string') return undefined;
  const own = ownFolder();
  for (const line of stack.split('\n')) {
    const [, location = '', position = ''] = FRAME.exec(line) ?? [];
    if (location === '') continue;
    const path = pathOf(location);
    if (own === undefined || !path.startsWith(own)) return path + position;
  }
  return undefined;
}

/** Never throws, although `Error.prepareStackTrace` may, and `--frozen-intrinsics` freezes `Error`. */
function stackBelow(below: (...args: never[]) => unknown): unknown {
  const { stackTraceLimit } = Error;
  const trace: { readonly stack?: unknown } = {};
  try {
    Error.stackTraceLimit = FRAMES;
    Error.captureStackTrace(trace, below);
    return trace.stack;
  } catch {
    return undefined;
  } finally {
    if (Error.stackTraceLimit !== stackTraceLimit) Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The folder of this package: `src` in its repository, else what contains `dist`. In a bundle, also the rest of it. */
function ownFolder(): string | undefined {
  const file = ownFile();
  return file === undefined ? undefined : dirname(dirname(file)) + sep;
}
