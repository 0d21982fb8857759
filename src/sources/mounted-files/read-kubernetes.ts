import { lstatSync, statSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { realDelay, realTurn } from '../../internal/real-time';
import type { ReadRequest } from '../source';
import { DATA_LINK, dataTarget } from './layout';
import type { FileReading, MountView } from './read-file';
import { type MountReading, readFiles } from './read-files';

// Most attempts succeed, even if a writer swaps without pause.
const MAX_ATTEMPTS = 1000;
const MAX_DANGLING_RETRIES = 20;
const DANGLING_DELAY_MS = 10;

/**
 * Reads one generation of a Kubernetes mount. It resolves `..data` once, reads everything below its target, and starts again
 * if `..data` was swapped during the read, because the writer deletes the old directory without a grace period. Comparing the
 * name of the target is not enough: a writer that alternates between two directories can swap twice during one read.
 * Resolves with `undefined` if there is no `..data`.
 */
export async function readKubernetes(
  root: string,
  maxFileBytes: number,
  request: ReadRequest,
): Promise<MountReading | undefined> {
  let dangling = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !request.signal.aborted; attempt += 1) {
    if (attempt > 0) await realTurn();
    const target = dataTarget(root);
    if (target === undefined) return undefined;
    const base = resolve(root, target);
    assertBelow(root, base);
    const revision = revisionOf(root, target);
    if (revision === undefined) {
      if (dataTarget(root) !== target) continue;
      dangling += 1;
      if (dangling > MAX_DANGLING_RETRIES) throw danglingLink(root, target);
      await realDelay(DANGLING_DELAY_MS, request.signal);
      continue;
    }
    if (revision === request.since) return { readings: undefined, revision };
    const readings = readGeneration({ root, base, maxFileBytes }, request);
    const swapped = dataTarget(root) !== target || revisionOf(root, target) !== revision;
    if (readings !== undefined && !swapped) return { readings, revision };
  }
  throw new SecretsError('MOUNT_UNSTABLE', `the mount ${root} was swapped during every attempt to read it`, {
    source: 'mounted-files',
    next: 'Find out what keeps writing to the mount. The last good values stay in use.',
  });
}

/** Reads all files of one generation. Returns `undefined` if its directory vanished while it was listed. */
function readGeneration(view: MountView, request: ReadRequest): Map<string, FileReading> | undefined {
  try {
    return readFiles(view, request);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Identifies one swap by the name of the target, and the inode and ctime of the directory and the link. Names may repeat, and
 * rewriting a file in place does not change its directory, but every swap makes a new link. Returns `undefined` if the link
 * or its target does not exist.
 */
function revisionOf(root: string, target: string): string | undefined {
  try {
    const link = lstatSync(`${root}/${DATA_LINK}`, { bigint: true });
    const directory = statSync(resolve(root, target), { bigint: true });
    return [target, directory.ino, directory.ctimeNs, link.ino, link.ctimeNs].join(':');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function assertBelow(root: string, base: string): void {
  const inside = relative(resolve(root), base);
  if (inside !== '' && inside.split(sep)[0] !== '..') return;
  throw new SecretsError('FILE_OUTSIDE_MOUNT', `the link ${root}/${DATA_LINK} leads out of the mount`, {
    source: 'mounted-files',
    next: 'Point the link at a directory inside the mount.',
  });
}

function danglingLink(root: string, target: string): SecretsError {
  return new SecretsError(
    'MOUNT_EMPTY',
    `the link ${root}/${DATA_LINK} leads to ${target}, which does not exist`,
    {
      source: 'mounted-files',
      next: 'Check the events of the pod. The last good values stay in use.',
    },
  );
}
