import { join } from 'node:path';
import { SecretsError } from '../errors';
import { builtin } from './builtins';
import { errorCode } from './describe-error';

let required: NodeJS.Require | undefined;

/** Runs on first use, because bundlers may leave `import.meta.url` undefined. Peers then resolve from the working directory. */
function requireHere(): NodeJS.Require {
  required ??= builtin('module').createRequire(
    (import.meta.url as string | undefined) ?? join(process.cwd(), 'index.js'),
  );
  return required;
}

/**
 * Loads an optional package on first use. With `from`, resolves it as that package would.
 * @throws `PEER_MISSING` with the command that installs it.
 */
export function loadPeer<T>(name: string, from?: string): T {
  try {
    const here = requireHere();
    const load = from === undefined ? here : builtin('module').createRequire(here.resolve(from));
    return load(name) as T;
  } catch (error) {
    if (!isMissing(error, name) && !isMissing(error, from)) throw error;
    throw missing(name, from ?? name);
  }
}

/**
 * Loads an optional package that is ESM only. `load` must be an import with a literal name, so that bundlers find it.
 * @throws `PEER_MISSING`.
 */
export async function loadPeerAsync<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error, name)) throw error;
    throw missing(name, name);
  }
}

/**
 * Checks that an optional package is installed, at startup rather than on first use.
 * @throws `PEER_MISSING`.
 */
export function assertPeer(name: string): void {
  try {
    requireHere().resolve(name);
  } catch (error) {
    // Other codes mean that the package exists, but not for `require`.
    if (isMissing(error, name)) throw missing(name, name);
  }
}

function missing(name: string, install: string): SecretsError {
  return new SecretsError('PEER_MISSING', `the package "${name}" is not installed`, {
    next: `Run: npm install ${install}`,
  });
}

// An installed package may lack one of its own dependencies. Its own error explains that better.
function isMissing(error: unknown, name: string | undefined): boolean {
  const code = errorCode(error);
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') return false;
  // ESM says 'package' and CJS says 'module', both followed by the name in quotes.
  return name !== undefined && (error as Error).message.includes(`'${name}'`);
}

export type Jose = typeof import('jose');

/**
 * Loads the optional package jose, which is ESM only.
 * @throws `PEER_MISSING` with the command that installs it.
 */
export function loadJose(): Promise<Jose> {
  return loadPeerAsync('jose', () => import('jose'));
}
