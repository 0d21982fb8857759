import { resolve } from 'node:path';
import { isSecretsError, SecretsError } from '../../errors';
import { count, flag, kindOf, ms, type Option, readOptions } from '../../internal/options';
import { realDelay, realNow, turnIfMany } from '../../internal/real-time';
import type { ReadRequest, ReadResult, Source, SourceListener } from '../source';
import {
  DEFAULT_MOUNT,
  dataTarget,
  isDenied,
  type MountState,
  mountMissing,
  mountProblem,
  mountState,
} from './layout';
import { listFiles } from './list-files';
import { replacedProblem, singleFileProblem, singleFiles, subPathProblem } from './mountinfo';
import { DATA_LINK, statIfThere } from './paths';
import type { FileReading } from './read-file';
import { type MountReading, TOO_DEEP } from './read-files';
import { type LastGeneration, readKubernetes } from './read-kubernetes';
import { Rest, readPlain } from './read-plain';
import { type MountWatch, watchMount } from './watch';

/** Options of `mountedFiles`. */
export interface MountedFilesOptions {
  /**
   * How long `open` waits until the mount exists and has every required secret, in milliseconds. Default: 0. A file that is
   * empty, or not valid yet, is waited for too.
   */
  readonly waitForMountMs?: number | undefined;
  /**
   * Interval of the poll that runs alongside the watch, in milliseconds, at least 10. It limits how long a rotation can stay
   * unnoticed. Default: 30 000.
   */
  readonly pollIntervalMs?: number | undefined;
  /**
   * Plain directories: how long their files must be at rest before they are read, in milliseconds. A writer that pauses longer
   * within one value, or between two files that belong together, may be seen half-way. Default: 100.
   */
  readonly settleMs?: number | undefined;
  /** Maximum size of a file in bytes; larger files fail with `FILE_TOO_LARGE`. Default: 1 MiB. */
  readonly maxFileBytes?: number | undefined;
  /**
   * Allows the mount to be missing or empty at `open`, or unreadable because Node runs with `--permission`; other sources serve
   * until its files appear. Default: false.
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
 * `MOUNT_SINGLE_FILE`, `MOUNT_REPLACED`, `WATCH_UNAVAILABLE`.
 *
 * @example
 * ```ts
 * mountedFiles('/mnt/secrets-store', { waitForMountMs: 10_000 })
 * ```
 */
export function mountedFiles(path: string, options: MountedFilesOptions = {}): Source {
  assertPath(path);
  const { waitForMountMs, pollIntervalMs, settleMs, maxFileBytes, optional } = readOptions(
    `mountedFiles("${path}")`,
    options,
    {
      waitForMountMs: ms(0),
      pollIntervalMs: ms(30_000, { least: 10 }),
      settleMs: ms(100),
      maxFileBytes: bytes(1024 * 1024, 1),
      optional: flag(false),
    },
  );
  const root = resolve(path);
  const rest = new Rest();
  let layout: MountState['layout'] = 'absent';
  let hasServed = false;
  let namesWithValue: Set<string> | undefined;
  let lastGeneration: LastGeneration | undefined;
  let mountWatch: MountWatch | undefined;
  let listener: SourceListener | undefined;
  /** Wanted files that are mounted one by one, in the mount of this identity. */
  let single: { readonly identity: string; readonly files: readonly string[] } | undefined;

  async function open(signal: AbortSignal): Promise<void> {
    const deadline = realNow() + waitForMountMs;
    for (;;) {
      const problem = mountProblem(root);
      if (problem === undefined || (optional && mayLack(problem))) return;
      if (realNow() >= deadline || signal.aborted) throw problem;
      await realDelay(Math.min(50, deadline - realNow()), signal);
    }
  }

  /** An optional mount may be missing, denied or empty: the volume of an optional Secret is empty until the Secret exists. */
  function mayLack({ code }: SecretsError): boolean {
    return code === 'MOUNT_MISSING' || code === 'MOUNT_EMPTY' || isDenied(root);
  }

  async function read(request: ReadRequest): Promise<ReadResult> {
    noteSingleFiles(request);
    await turnIfMany(request.lookups.length);
    // Before the files are read, so that no change in between is lost.
    mountWatch?.fit(request, single?.files ?? []);
    let hasTrouble = true;
    try {
      await turnIfMany(request.lookups.length);
      let reading = await readOnce(request);
      for (let reads = 1; reads < MAX_READS && hasTransientFailure(reading); reads += 1) {
        await realDelay(RETRY_DELAY_MS * reads, request.signal);
        reading = await readOnce(request);
      }
      hasTrouble = [...(reading.readings?.values() ?? [])].some(({ status }) => status !== 'found');
      return resultOf(reading);
    } catch (error) {
      // The mount's state explains foreign errors better, for example EACCES in a parent directory.
      throw isSecretsError(error) ? error : (mountProblem(root) ?? error);
    } finally {
      // Runs after a failure too, because an absent mount needs another watcher.
      mountWatch?.follow(mountState(root));
      if (hasTrouble || (single?.files.length ?? 0) > 0) noteReplaced(request);
    }
  }

  function noteSingleFiles({ lookups, list }: ReadRequest): void {
    if (listener === undefined) return;
    const { identity } = mountState(root);
    if (identity === single?.identity) return;
    const wanted = new Set(lookups.map(({ file }) => `${root}/${file}`));
    const files = singleFiles(root).filter((path) => list || wanted.has(path));
    single = { identity, files };
    if (files.length > 0) listener.problem(singleFileProblem(files));
    else listener.solved('MOUNT_SINGLE_FILE');
  }

  function noteReplaced({ lookups }: ReadRequest): void {
    const problem = replacedProblem(root, [
      ...(single?.files ?? []),
      ...lookups.map(({ file }) => `${root}/${file}`),
    ]);
    if (problem === undefined) listener?.solved('MOUNT_REPLACED');
    else listener?.problem(problem);
  }

  async function readOnce(request: ReadRequest): Promise<MountReading> {
    if (isDenied(root)) return readAbsent(request);
    const declared = new Set(request.lookups.map(({ name }) => name));
    // At first, nobody has asked for what discovery lists.
    const hadValue = (name: string) => (namesWithValue ?? declared).has(name);
    const settling = { settleMs, rest, hadValue };
    for (let reads = 0; reads < MAX_MISSING_LINK_READS; reads += 1) {
      const reading = await readKubernetes(root, maxFileBytes, request, settling, lastGeneration);
      if (reading !== undefined) {
        layout = 'kubernetes';
        lastGeneration = reading.generation;
        return reading;
      }
      if (layout !== 'kubernetes' || !exists(root)) break;
      await realDelay(RETRY_DELAY_MS, request.signal);
    }
    if (!exists(root)) return readAbsent(request);
    const problem = mountProblem(root);
    if (problem !== undefined) {
      if (problem.code === 'MOUNT_MISSING' || (optional && !hasServed && mayLack(problem))) {
        return readAbsent(request);
      }
      throw problem;
    }
    layout = 'plain';
    return readPlain(root, maxFileBytes, request, settling);
  }

  function readAbsent({ lookups }: ReadRequest): MountReading {
    layout = 'absent';
    if (hasServed || !optional) throw mountProblem(root) ?? mountMissing(root);
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
      if (reading.status === 'found') hasServed = true;
      if (reading.status === 'failed' && reading.mark !== TOO_DEEP) hasFailure = true;
    }
    // A fix may not change the revision, for example new permissions of a file.
    return { unchanged: false, readings, revision: hasFailure ? undefined : revision };
  }

  function watch(given: SourceListener): () => void {
    // Polling could not find it either: permissions are never added to a process.
    if (isDenied(root)) return () => undefined;
    const problem = subPathProblem(root);
    if (problem !== undefined) given.problem(problem);
    listener = given;
    mountWatch = watchMount(root, { pollIntervalMs, listener, state: mountState(root) });
    return () => {
      listener = undefined;
      mountWatch?.close();
    };
  }

  return {
    name: 'mounted-files',
    location: root,
    maxStalenessMs: Math.max(60_000, 3 * pollIntervalMs),
    waitForSecretsMs: waitForMountMs,
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
      if (exists(root)) return 'the mount has no files';
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
  return !isDenied(root) && statIfThere(root) !== undefined;
}
