import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const FRAMES = 16;
// A path or a URL, so that frames of Node (`node:…`) and of native code are none.
const FRAME = /^\s+at (?:async )?(?:.*? \()?((?:[a-z][a-z0-9+.-]*:\/\/|\/|[A-Za-z]:\\).*?)(:\d+:\d+)\)?$/;

// The folder of the package: `src` in its repository, else the one above `dist`. As a path in CJS, where there is no url.
const here = import.meta.url;
const own = dirname(dirname(here.startsWith('file:') ? fileURLToPath(here) : here)) + sep;

/**
 * Where the code is that called `below`, a function that is running: the nearest frame under it that is outside of this
 * package, and not Node's. Whoever asks stands above it.
 */
export function callerOutside(below: (...args: never[]) => unknown): string | undefined {
  const stack = stackBelow(below);
  // Whoever prepares stack traces of their own may make anything of it.
  if (typeof stack !== 'string') return undefined;
  for (const line of stack.split('\n')) {
    const [, place = '', position = ''] = FRAME.exec(line) ?? [];
    if (place === '') continue;
    const path = place.startsWith('file:') ? fileURLToPath(place) : place;
    if (!path.startsWith(own)) return path + position;
  }
  return undefined;
}

/** Subscribers of a channel must not throw: whoever prepares stack traces may, and Node can be told to freeze `Error`. */
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
