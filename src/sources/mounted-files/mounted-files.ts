import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSecretsError } from '../../errors';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import { delay } from '../../internal/time';
import { type MountState, watchMount } from '../../watch/watch-mount';
import type { ReadRequest, ReadResult, Source, SourceListener } from '../source';
import { dataTarget, mountMissing, mountProblem } from './layout';
import { listFiles } from './list-files';
import { mountState } from './mount-state';
import type { FileReading } from './read-file';
import { type MountReading, readKubernetes } from './read-kubernetes';
import { readPlain } from './read-plain';
import { subPathProblem } from './subpath';

export interface MountedFilesOptions {
  /** How long `open` waits for the mount to be there and not empty, in ms. Default: 0. */
  readonly waitForMountMs?: number;
  /** The slow look beside the watch, in ms: no rotation is missed for longer. Default: 30 000. */
  readonly pollIntervalMs?: number;
  /** Larger files are refused. Default: 1 MiB. */
  readonly maxFileBytes?: number;
  /** The mount may be missing at open: other sources serve until it appears. Default: false. */
  readonly optional?: boolean;
}

const RETRIES = 3;
const RETRY_DELAY_MS = 20;
// Windows nodes remove ..data before they make the new one.
const MISSING_LINK_RETRIES = 15;

/**
 * Secrets as files of a mounted directory: Kubernetes volumes (the Secrets Store CSI driver, Secret, ConfigMap) and
 * plain directories (Docker secrets, local development). One `read` never mixes two generations.
 *
 * Errors: `MOUNT_MISSING`, `MOUNT_EMPTY`, `MOUNT_NOT_DIRECTORY`, `MOUNT_UNREADABLE` at open; `MOUNT_UNSTABLE`,
 * `FILE_UNREADABLE`, `FILE_TOO_LARGE`, `FILE_OUTSIDE_MOUNT` for what is in it; `MOUNT_SUBPATH` and
 * `WATCH_UNAVAILABLE` as warnings.
 *
 * @example
 * ```ts
 * mountedFiles('/mnt/secrets-store', { waitForMountMs: 10_000 })
 * ```
 */
export function mountedFiles(path: string, options: MountedFilesOptions = {}): Source {
  const where = `mountedFiles("${path}")`;
  rejectUnknownOptions(where, options, ['waitForMountMs', 'pollIntervalMs', 'maxFileBytes', 'optional']);
  const {
    waitForMountMs = 0,
    pollIntervalMs = 30_000,
    maxFileBytes = 1024 * 1024,
    optional = false,
  } = options;
  assertNumber(where, 'waitForMountMs', waitForMountMs);
  assertNumber(where, 'pollIntervalMs', pollIntervalMs, 10);
  assertNumber(where, 'maxFileBytes', maxFileBytes, 1);

  const root = resolve(path);
  let layout: MountState['layout'] = 'absent';
  let seen = false;
  let withValue: Set<string> | undefined;
  let watch: ReturnType<typeof watchMount> | undefined;

  async function open(signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + waitForMountMs;
    for (;;) {
      const problem = mountProblem(root);
      if (problem === undefined || (optional && problem.code === 'MOUNT_MISSING')) return;
      if (Date.now() >= deadline || signal.aborted) throw problem;
      await delay(Math.min(50, deadline - Date.now()), signal);
    }
  }

  async function read(request: ReadRequest): Promise<ReadResult> {
    try {
      let reading = await attempt(request);
      for (let retry = 1; retry < RETRIES && hasPassingFailure(reading); retry += 1) {
        await delay(RETRY_DELAY_MS * retry, request.signal);
        reading = await attempt(request);
      }
      return remember(reading);
    } catch (error) {
      // Of an error that is not ours the state of the mount says more: EACCES on the way to it, for one.
      throw isSecretsError(error) ? error : (mountProblem(root) ?? error);
    } finally {
      // Also after a failure: a mount that is gone is waited for with another kind of watch.
      watch?.follow(mountState(root));
    }
  }

  async function attempt(request: ReadRequest): Promise<MountReading> {
    if (!exists(root)) return absent(request);
    for (let retry = 0; retry < MISSING_LINK_RETRIES; retry += 1) {
      const reading = await readKubernetes(root, maxFileBytes, request);
      if (reading !== undefined) {
        layout = 'kubernetes';
        seen = true;
        return reading;
      }
      if (layout !== 'kubernetes') break;
      await delay(RETRY_DELAY_MS, request.signal);
    }
    const problem = mountProblem(root);
    if (problem !== undefined) {
      if (problem.code === 'MOUNT_MISSING') return absent(request);
      throw problem;
    }
    layout = 'plain';
    seen = true;
    return readPlain(root, maxFileBytes, request, (name) => withValue === undefined || withValue.has(name));
  }

  function absent({ lookups }: ReadRequest): MountReading {
    layout = 'absent';
    if (seen || !optional) throw mountProblem(root) ?? mountMissing(root);
    const missing = lookups.map(({ name, file }): [string, FileReading] => [
      name,
      { status: 'missing', looked: `${root}/${file}`, mark: 'ENOENT' },
    ]);
    return { readings: new Map(missing), revision: undefined };
  }

  function remember({ readings, revision }: MountReading): ReadResult {
    if (readings === undefined) return { unchanged: true, readings: new Map(), revision };
    withValue = new Set();
    for (const [name, reading] of readings) {
      if (reading.status === 'found' && reading.bytes.length > 0) withValue.add(name);
    }
    // What failed may be mended without a trace in the revision: a file's permissions are.
    const failed = [...readings.values()].some(({ status }) => status === 'failed');
    return { unchanged: false, readings, revision: failed ? undefined : revision };
  }

  return {
    name: 'mounted-files',
    location: root,
    maxStalenessMs: Math.max(60_000, 3 * pollIntervalMs),
    open,
    read,
    async inventory() {
      try {
        return listFiles(dataTarget(root) === undefined ? root : `${root}/..data`);
      } catch {
        return [];
      }
    },
    note() {
      return layout === 'absent' ? 'the mount does not exist (yet); other sources serve' : undefined;
    },
    watch(listener: SourceListener) {
      const problem = subPathProblem(root);
      if (problem !== undefined) listener.problem(problem);
      watch = watchMount(root, { pollIntervalMs, listener, state: mountState(root) });
      return () => watch?.close();
    },
  };
}

function hasPassingFailure({ readings }: MountReading): boolean {
  if (readings === undefined) return false;
  return [...readings.values()].some((reading) => reading.status === 'failed' && reading.passing);
}

function exists(root: string): boolean {
  return statSync(root, { throwIfNoEntry: false }) !== undefined;
}
