import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSecretsError, SecretsError } from '../../errors';
import { count, flag, kindOf, ms, type Option, readOptions } from '../../internal/options';
import { realDelay, realNow } from '../../internal/real-time';
import type { ReadRequest, ReadResult, Source, SourceListener } from '../source';
import {
  DEFAULT_MOUNT,
  dataTarget,
  isDenied,
  type MountState,
  mountMissing,
  mountProblem,
  mountState,
  subPathProblem,
} from './layout';
import { listFiles } from './list-files';
import { DATA_LINK } from './paths';
import type { FileReading } from './read-file';
import { type MountReading, TOO_DEEP } from './read-files';
import { type LastGeneration, readKubernetes } from './read-kubernetes';
import { readPlain } from './read-plain';
import { type MountWatch, watchMount } from './watch';

export interface MountedFilesOptions {
  /** How long `open` waits until the mount exists and has files, in milliseconds. Default: 0. */
  readonly waitForMountMs?: number | undefined;
  /**
   * Interval of the poll that runs alongside the watch, in milliseconds, at least 10. It limits how long a rotation can stay
   * unnoticed. Default: 30 000.
   */
  readonly pollIntervalMs?: number | undefined;
  /** Maximum size of a file in bytes; larger files fail with `FILE_TOO_LARGE`. Default: 1 MiB. */
  readonly maxFileBytes?: number | undefined;
  /**
   * Allows the mount to be missing at `open`, or unreadable because Node runs with `--permission`; other sources serve until it
   * appears. Default: false.
   */
  readonly optional?: boolean | undefined;
}

const MAX_READS = 3;
const RETRY_DELAY_MS = 20;
// Windows nodes remove ..data before they create the new link.
const MAX_MISSING_LINK_READS = 15;

/**
 * Serves secrets from the files of a mounted directory: a Kubernetes volume (Secrets Store CSI driver, Secret, ConfigMap) or a
 * plain directory (Docker secrets, local development). A `read` never mixes two generations.
 *
 * Throws `OPTION_UNKNOWN`, and `OPTION_INVALID` for an invalid option or a path that is not a non-empty string.
 * Errors at open: `MOUNT_MISSING`, `MOUNT_EMPTY`, `MOUNT_NOT_DIRECTORY`, `MOUNT_UNREADABLE`; later also
 * `MOUNT_UNSTABLE`, `FILE_UNREADABLE`, `FILE_TOO_LARGE`, `FILE_OUTSIDE_MOUNT`. Warnings: `MOUNT_SUBPATH`,
 * `WATCH_UNAVAILABLE`.
 *
 * @example
 * ```ts
 * mountedFiles('/mnt/secrets-store', { waitForMountMs: 10_000 })
 * ```
 */
export function mountedFiles(path: string, options: MountedFilesOptions = {}): Source {
  assertPath(path);
  const { waitForMountMs, pollIntervalMs, maxFileBytes, optional } = readOptions(
    `mountedFiles("${path}")`,
    options,
    {
      waitForMountMs: ms(0),
      pollIntervalMs: ms(30_000, { least: 10 }),
      maxFileBytes: bytes(1024 * 1024, 1),
      optional: flag(false),
    },
  );
  const root = resolve(path);
  let layout: MountState['layout'] = 'absent';
  let hasBeenRead = false;
  let namesWithValue: Set<string> | undefined;
  let lastGeneration: LastGeneration | undefined;
  let mountWatch: MountWatch | undefined;

  async function open(signal: AbortSignal): Promise<void> {
    const deadline = realNow() + waitForMountMs;
    for (;;) {
      const problem = mountProblem(root);
      if (problem === undefined || (optional && (problem.code === 'MOUNT_MISSING' || isDenied(root)))) return;
      if (realNow() >= deadline || signal.aborted) throw problem;
      await realDelay(Math.min(50, deadline - realNow()), signal);
    }
  }

  async function read(request: ReadRequest): Promise<ReadResult> {
    // Before the files are read, so that no change in between is lost.
    mountWatch?.fit(request);
    try {
      let reading = await readOnce(request);
      for (let reads = 1; reads < MAX_READS && hasTransientFailure(reading); reads += 1) {
        await realDelay(RETRY_DELAY_MS * reads, request.signal);
        reading = await readOnce(request);
      }
      return resultOf(reading);
    } catch (error) {
      // The mount's state explains foreign errors better, for example EACCES in a parent directory.
      throw isSecretsError(error) ? error : (mountProblem(root) ?? error);
    } finally {
      // Runs after a failure too, because an absent mount needs another watcher.
      mountWatch?.follow(mountState(root));
    }
  }

  async function readOnce(request: ReadRequest): Promise<MountReading> {
    if (isDenied(root)) return readAbsent(request);
    const hadValue = (name: string) => namesWithValue === undefined || namesWithValue.has(name);
    const settling = { settleMs: 20, hadValue };
    for (let reads = 0; reads < MAX_MISSING_LINK_READS; reads += 1) {
      const reading = await readKubernetes(root, maxFileBytes, request, settling, lastGeneration);
      if (reading !== undefined) {
        layout = 'kubernetes';
        hasBeenRead = true;
        lastGeneration = reading.generation;
        return reading;
      }
      if (layout !== 'kubernetes' || !exists(root)) break;
      await realDelay(RETRY_DELAY_MS, request.signal);
    }
    if (!exists(root)) return readAbsent(request);
    const problem = mountProblem(root);
    if (problem !== undefined) {
      if (problem.code === 'MOUNT_MISSING') return readAbsent(request);
      throw problem;
    }
    layout = 'plain';
    hasBeenRead = true;
    return readPlain(root, maxFileBytes, request, settling);
  }

  function readAbsent({ lookups }: ReadRequest): MountReading {
    layout = 'absent';
    if (hasBeenRead || !optional) throw mountProblem(root) ?? mountMissing(root);
    const suffix = isDenied(root) ? ` (without --allow-fs-read=${root})` : '';
    const missing = lookups.map(({ name, file }): [string, FileReading] => [
      name,
      { status: 'missing', looked: `${root}/${file}${suffix}`, mark: 'ENOENT' },
    ]);
    return { readings: new Map(missing), revision: undefined };
  }

  function resultOf({ readings, revision }: MountReading): ReadResult {
    if (readings === undefined) return { unchanged: true, readings: new Map(), revision };
    namesWithValue = new Set();
    let hasFailure = false;
    for (const [name, reading] of readings) {
      if (reading.status === 'found' && reading.bytes.length > 0) namesWithValue.add(name);
      if (reading.status === 'failed' && reading.mark !== TOO_DEEP) hasFailure = true;
    }
    // A fix may not change the revision, for example new permissions of a file.
    return { unchanged: false, readings, revision: hasFailure ? undefined : revision };
  }

  function watch(listener: SourceListener): () => void {
    // Polling could not find it either: permissions are never added to a process.
    if (isDenied(root)) return () => undefined;
    const problem = subPathProblem(root);
    if (problem !== undefined) listener.problem(problem);
    mountWatch = watchMount(root, { pollIntervalMs, listener, state: mountState(root) });
    return () => mountWatch?.close();
  }

  return {
    name: 'mounted-files',
    location: root,
    maxStalenessMs: Math.max(60_000, 3 * pollIntervalMs),
    open,
    read,
    watch,
    async inventory() {
      try {
        return listFiles(dataTarget(root) === undefined ? root : `${root}/${DATA_LINK}`, root).files;
      } catch {
        return [];
      }
    },
    note() {
      if (isDenied(root))
        return `Node may not read it without --allow-fs-read=${root}; other sources serve its secrets`;
      if (layout !== 'absent') return undefined;
      return `the mount does not exist${root === DEFAULT_MOUNT ? '; set SECRETS_PATH if yours is elsewhere' : ''}`;
    },
  };
}

function assertPath(path: unknown): void {
  if (typeof path === 'string' && path !== '') return;
  const what = `mountedFiles: the path must be a non-empty string, not ${kindOf(path)}`;
  throw new SecretsError('OPTION_INVALID', what, {
    next:
      path instanceof URL
        ? 'Pass fileURLToPath(url); import it from node:url.'
        : "Pass the directory with the secret files: mountedFiles('/mnt/secrets-store').",
  });
}

/** A size in bytes, `least` or more. */
function bytes(fallback: number, least: number): Option<number> {
  const option = count(fallback, { least });
  return (given, reject) => option(given, () => reject(`a size in bytes, ${least} or more`));
}

function hasTransientFailure({ readings }: MountReading): boolean {
  if (readings === undefined) return false;
  return [...readings.values()].some((reading) => reading.status === 'failed' && reading.transient);
}

function exists(root: string): boolean {
  return !isDenied(root) && statSync(root, { throwIfNoEntry: false }) !== undefined;
}
