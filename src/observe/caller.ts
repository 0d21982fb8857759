import { dirname, sep } from 'node:path';
import { builtin } from '../internal/builtins';

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

let known: string | undefined;

/**
 * Returns the folder of this package: `src` in its repository, or else the folder that contains `dist`. Takes it from a stack
 * trace, because `import.meta.url` is undefined in some bundles. In a bundle, the folder contains the rest of the bundle too.
 */
function ownFolder(): string | undefined {
  if (known !== undefined) return known;
  const { prepareStackTrace } = Error;
  const trace: { readonly stack?: unknown } = {};
  try {
    Error.prepareStackTrace = (_error, [frame]) => frame?.getFileName();
    Error.captureStackTrace(trace);
    const file = trace.stack;
    if (typeof file === 'string') known = dirname(dirname(pathOf(file))) + sep;
  } catch {
    // `Error` is frozen.
  } finally {
    if (Error.prepareStackTrace !== prepareStackTrace) Error.prepareStackTrace = prepareStackTrace;
  }
  return known;
}

function pathOf(location: string): string {
  try {
    return location.startsWith('file:') ? builtin('url').fileURLToPath(location) : location;
  } catch {
    return location;
  }
}
