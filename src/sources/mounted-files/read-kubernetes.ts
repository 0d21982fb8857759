import { resolve } from 'node:path';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import { realDate, realDelay, realTurn } from '../../internal/real-time';
import type { ReadRequest } from '../source';
import { dataTarget } from './layout';
import { DATA_LINK, type HeldDirectory, holdDirectory, isInside, lstatIfThere, statIfThere } from './paths';
import type { FileReading } from './read-file';
import { currentMarks, type MountReading, marksOf, newestChange, readFiles } from './read-files';
import { readSettled, type Settling } from './read-plain';

const { lstatSync, realpathSync, statSync } = builtin('fs');

// Most attempts succeed, even if a writer swaps without pause.
const MAX_ATTEMPTS = 1000;
const MAX_DANGLING_RETRIES = 20;
const DANGLING_DELAY_MS = 10;
/** Two changes of a file within a tick of the kernel's clock have one timestamp. */
const RACY_MS = 20;

/** What the last read found. */
export interface LastGeneration {
  readonly swap: string;
  readonly readings: ReadonlyMap<string, Pick<FileReading, 'mark'>>;
}

/**
 * Reads one generation of a Kubernetes mount. It resolves `..data` once, reads everything below its target, and starts again
 * if `..data` was swapped during the read, because the writer deletes the old directory without a grace period. Comparing the
 * name of the target is not enough: a writer that alternates between two directories can swap twice during one read. Files
 * that changed without a swap are written in place, and read until they are at rest. Resolves with `undefined` if there is no
 * `..data`.
 */
export async function readKubernetes(
  root: string,
  maxFileBytes: number,
  request: ReadRequest,
  settling: Settling,
  last: LastGeneration | undefined,
): Promise<(MountReading & { readonly generation: LastGeneration }) | undefined> {
  let dangling = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !request.signal.aborted; attempt += 1) {
    if (attempt > 0) await realTurn();
    const target = dataTarget(root);
    if (target === undefined) return undefined;
    const base = resolve(root, target);
    const swap = swapOf(root, target);
    if (swap !== undefined && last !== undefined && request.since?.startsWith(`${swap}\n`)) {
      const revision = `${swap}\n${await currentMarks(base, request)}`;
      if (revision === request.since) return { readings: undefined, revision, generation: last };
    }
    const held = swap === undefined ? undefined : hold(base);
    if (swap === undefined || held === undefined) {
      if (dataTarget(root) !== target) continue;
      dangling += 1;
      if (dangling > MAX_DANGLING_RETRIES) throw danglingLink(root);
      await realDelay(DANGLING_DELAY_MS, request.signal);
      continue;
    }
    try {
      const realRoot = realpathSync(root);
      assertBelow(root, realRoot, held.real);
      const swappedAtMs = lstatIfThere(`${root}/${DATA_LINK}`)?.ctimeMs ?? realDate();
      const view = { root, realRoot, base: held.at, maxFileBytes, swappedAtMs };
      const isCurrent = () => dataTarget(root) === target && swapOf(root, target) === swap;
      let readings: Map<string, FileReading> | undefined = await readFiles(view, request);
      settling.rest.of(readings);
      if (last?.swap === swap && isWrittenInPlace(readings, last.readings))
        readings = await readSettled(view, request, { ...settling, isCurrent });
      if (readings === undefined || !isCurrent()) continue;
      return resultOf(swap, explainMissing(root, base, request, readings));
    } catch (error) {
      // The directory of the generation vanished while its files were listed.
      if (errorCode(error) !== 'ENOENT') throw error;
    } finally {
      held.release();
    }
  }
  throw new SecretsError('MOUNT_UNSTABLE', `the mount ${root} was swapped during every attempt to read it`, {
    source: 'mounted-files',
    next: 'Find out what keeps writing to the mount. The last good values stay in use.',
  });
}

/** Says of a missing file that it lies next to `..data`, where only the link of its volume is read. */
function explainMissing(
  root: string,
  base: string,
  { lookups }: ReadRequest,
  readings: Map<string, FileReading>,
): Map<string, FileReading> {
  for (const { name, file } of lookups) {
    const reading = readings.get(name);
    if (reading?.status !== 'missing') continue;
    const neighbor = statIfThere(`${root}/${file}`);
    if (neighbor?.isFile() !== true || statIfThere(`${base}/${file}`)) continue;
    const [first] = file.split('/') as [string];
    const next =
      file === first ? 'move it into a directory of its own' : `use mountedFiles('${root}/${first}')`;
    const looked = `${reading.looked}: it lies next to ${DATA_LINK}, outside this volume; ${next}, as a source of its own`;
    readings.set(name, { ...reading, looked });
  }
  return readings;
}

function resultOf(swap: string, readings: Map<string, FileReading>) {
  const racy = newestChange(readings) > realDate() - RACY_MS;
  const marks = [...readings].map(([name, { mark }]) => [name, { mark }] as const);
  return {
    readings,
    revision: racy ? undefined : `${swap}\n${marksOf(readings)}`,
    generation: { swap, readings: new Map(marks) },
  };
}

function isWrittenInPlace(
  readings: ReadonlyMap<string, FileReading>,
  before: LastGeneration['readings'],
): boolean {
  return [...readings].some(([name, { mark }]) => (before.get(name)?.mark ?? mark) !== mark);
}

/** Opens the directory of a generation. Returns `undefined` if it does not exist. */
function hold(base: string): HeldDirectory | undefined {
  try {
    return holdDirectory(base);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * Identifies one swap by the name of the target, and the inode and ctime of the directory and the link. Names may repeat, but
 * every swap makes a new link. Returns `undefined` if the link or its target does not exist.
 */
function swapOf(root: string, target: string): string | undefined {
  try {
    const link = lstatSync(`${root}/${DATA_LINK}`, { bigint: true });
    const directory = statSync(resolve(root, target), { bigint: true });
    return [target, directory.ino, directory.ctimeNs, link.ino, link.ctimeNs].join(':');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function assertBelow(root: string, realRoot: string, real: string): void {
  if (real !== realRoot && isInside(realRoot, real)) return;
  const what = `the link ${root}/${DATA_LINK} leads out of the mount, to ${real}`;
  throw new SecretsError('FILE_OUTSIDE_MOUNT', what, {
    source: 'mounted-files',
    next: 'Point the link at a directory inside the mount.',
  });
}

function danglingLink(root: string): SecretsError {
  // Without its target, because a link that keeps changing is one cause.
  const what = `the link ${root}/${DATA_LINK} leads to a directory that does not exist`;
  return new SecretsError('MOUNT_EMPTY', what, {
    source: 'mounted-files',
    next: 'Check the events of the pod. The last good values stay in use.',
  });
}
