import { loadPeerAsync } from './peer';

export type Jose = typeof import('jose');

/**
 * The optional package jose, which is ESM alone: hence the promise.
 * @throws `PEER_MISSING` with the command that installs it.
 */
export function loadJose(): Promise<Jose> {
  return loadPeerAsync('jose', () => import('jose'));
}
