import { dirname, isAbsolute, join } from 'node:path';
import { builtin } from './builtins';

const { readFileSync } = builtin('fs');

let known: string | undefined;

/**
 * The file that this code runs in: one of the package, or the bundle that contains it. It comes from a stack trace, because
 * bundlers leave `import.meta.url` undefined, or replace it with the address of the file that they read. Undefined where
 * code has no file (`eval`), and where `Error` is frozen.
 */
export function ownFile(): string | undefined {
  if (known !== undefined) return known;
  const { prepareStackTrace } = Error;
  const trace: { readonly stack?: unknown } = {};
  try {
    Error.prepareStackTrace = (_error, [frame]) => frame?.getFileName();
    Error.captureStackTrace(trace);
    const file = typeof trace.stack === 'string' ? pathOf(trace.stack) : '';
    if (isAbsolute(file)) known = file;
  } catch {
    // `Error` is frozen.
  } finally {
    if (Error.prepareStackTrace !== prepareStackTrace) Error.prepareStackTrace = prepareStackTrace;
  }
  return known;
}

/** Tells whether a bundler has put this code into a file of its own. */
export function isBundled(): boolean {
  const file = ownFile();
  if (file === undefined) return true;
  if (/[\\/]node_modules[\\/]hot-secrets[\\/]/.test(file)) return false;
  return ownPackage(file) === undefined;
}

/** The package.json of this package, above one of its files: `dist/x.js` or `dist/cjs/x.js`, `src/folder/x.ts`. */
export function ownPackage(file = ownFile() ?? ''): Package | undefined {
  const folder = dirname(dirname(file));
  return [folder, dirname(folder)].map(packageOf).find((one) => one?.name === 'hot-secrets');
}

interface Package {
  readonly name?: string;
  readonly version?: string;
}

/** The package.json of a folder; undefined where there is none, or none that this process may read. */
export function packageOf(folder: string): Package | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Package;
  } catch {
    return undefined;
  }
}

/** The path of a location in a stack trace, which is a URL in ES modules. */
export function pathOf(location: string): string {
  try {
    return location.startsWith('file:') ? builtin('url').fileURLToPath(location) : location;
  } catch {
    return location;
  }
}
