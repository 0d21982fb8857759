import { createRequire } from 'node:module';
import { SecretsError } from '../errors';
import { errorCode } from './describe-error';

const require = createRequire(import.meta.url);

/**
 * Loads an optional package at the moment it is used. `from` resolves it as that package would.
 * @throws `PEER_MISSING` with the command that installs it.
 */
export function loadPeer<T>(name: string, from?: string): T {
  try {
    const resolve = from === undefined ? require : createRequire(require.resolve(from));
    return resolve(name) as T;
  } catch (error) {
    if (!isMissing(error, name) && !isMissing(error, from)) throw error;
    throw missing(name, from ?? name);
  }
}

/**
 * The same for a package that is ESM alone. `load`: an import with its name spelt out, which bundlers can see.
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
 * Throws while that can still keep a process from starting, rather than at the first use.
 * @throws `PEER_MISSING`.
 */
export function assertPeer(name: string): void {
  try {
    require.resolve(name);
  } catch (error) {
    // Other codes say that it is there, and not for `require`.
    if (isMissing(error, name)) throw missing(name, name);
  }
}

function missing(name: string, install: string): SecretsError {
  return new SecretsError('PEER_MISSING', `the package "${name}" is not installed`, {
    next: `Run: npm install ${install}`,
  });
}

// A package that is there may lack one of its own: that is another error, and its author's advice is better.
function isMissing(error: unknown, name: string | undefined): boolean {
  const code = errorCode(error);
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') return false;
  // ESM says 'package' and CJS 'module', both with the name in quotes.
  return name !== undefined && (error as Error).message.includes(`'${name}'`);
}

export type Jose = typeof import('jose');

/**
 * The optional package jose, which is ESM alone: hence the promise.
 * @throws `PEER_MISSING` with the command that installs it.
 */
export function loadJose(): Promise<Jose> {
  return loadPeerAsync('jose', () => import('jose'));
}
