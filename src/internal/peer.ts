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
    throw new SecretsError('PEER_MISSING', `the package "${name}" is not installed`, {
      next: `Run: npm install ${from ?? name}`,
    });
  }
}

// A package that is there may lack one of its own: that is another error, and its author's advice is better.
function isMissing(error: unknown, name: string | undefined): boolean {
  const code = errorCode(error);
  if (code !== 'MODULE_NOT_FOUND' && code !== 'ERR_MODULE_NOT_FOUND') return false;
  return name !== undefined && (error as Error).message.includes(`'${name}'`);
}
