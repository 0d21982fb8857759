import { SecretsError } from '../../errors';
import { realDate, realDelay, realNow } from '../../internal/real-time';
import type { ReadRequest } from '../source';
import { holdDirectory } from './paths';
import type { FileReading, MountView } from './read-file';
import { currentMarks, type MountReading, marksOf, newestChange, readFiles } from './read-files';

const SETTLE_STEP_MS = 20;
const MIN_SETTLE_MS = 1000;
/** Timestamps are coarse: a file that changed within this time may change again without a new timestamp. */
const RACY_MS = 2000;

/**
 * Tells how long files have been at rest. Their timestamps alone do not: the clock of a file server may run behind this one, and
 * this one may jump. So a change that earlier readings did not show counts as new. The first reading has only timestamps.
 */
export class Rest {
  #marks: string | undefined;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** Milliseconds since the last change of these files. Negative if they seem to change in the future. */
  of(readings: ReadonlyMap<string, FileReading>): number {
    // The newest timestamp may be that of a swap, with which a write shares its tick.
    const marks = marksOf(readings);
    if (this.#marks !== undefined && this.#marks !== marks) this.#seenAt = realNow();
    this.#marks = marks;
    return Math.min(realDate() - newestChange(readings), realNow() - this.#seenAt);
  }
}

export interface Settling {
  /** How long a file must be at rest. */
  readonly settleMs: number;
  /** Of the readings of one source. */
  readonly rest: Rest;
  /** Returns false once the files to read are others. The reading then ends without a result. */
  readonly isCurrent?: () => boolean;
  /** Returns true if the name had a value. An empty file in its place counts as a write in progress. */
  readonly hadValue: (name: string) => boolean;
}

/** Reads a plain directory, whose files may be half-written. */
export async function readPlain(
  root: string,
  maxFileBytes: number,
  request: ReadRequest,
  settling: Settling,
): Promise<MountReading> {
  if (request.since !== undefined && request.since === (await currentMarks(root, request))) {
    return { readings: undefined, revision: request.since };
  }
  const directory = holdDirectory(root);
  try {
    const view = { root, realRoot: directory.real, base: directory.at, maxFileBytes };
    const readings = (await readSettled(view, request, settling)) as Map<string, FileReading>;
    const racy = settling.rest.of(readings) < RACY_MS;
    return { readings, revision: racy ? undefined : marksOf(readings) };
  } finally {
    directory.release();
  }
}

/**
 * Reads files that are written in place until two passes agree, `settleMs` after the last change of a file. For up to a second,
 * an empty file that had a value counts as a write in progress.
 * @throws `MOUNT_UNSTABLE` if the files keep changing.
 */
export async function readSettled(
  view: MountView,
  request: ReadRequest,
  { settleMs, rest, hadValue, isCurrent = () => true }: Settling,
): Promise<Map<string, FileReading> | undefined> {
  const limitMs = Math.max(MIN_SETTLE_MS, 5 * settleMs);
  const deadline = realNow() + limitMs;
  let previous = await readFiles(view, request);
  for (;;) {
    const restedMs = rest.of(previous);
    if (restedMs < settleMs) await realDelay(settleMs - Math.max(0, restedMs), request.signal);
    if (!isCurrent()) return undefined;
    const current = await readFiles(view, request);
    const late = realNow() > deadline;
    const waiting = !late && [...current].some(([name, reading]) => isEmpty(reading) && hadValue(name));
    if (agree(previous, current) && !waiting) return current;
    if (late || request.signal.aborted) throw unstable(view.root, limitMs);
    previous = current;
    await realDelay(SETTLE_STEP_MS, request.signal);
  }
}

function agree(a: ReadonlyMap<string, FileReading>, b: ReadonlyMap<string, FileReading>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, first] of a) {
    const second = b.get(name);
    if (second === undefined || first.mark !== second.mark || first.mark.includes('moving')) return false;
    if (first.status !== 'found' || second.status !== 'found') continue;
    if (!Buffer.from(first.bytes.buffer, first.bytes.byteOffset, first.bytes.length).equals(second.bytes)) {
      return false;
    }
  }
  return true;
}

function isEmpty(reading: FileReading): boolean {
  return reading.status === 'found' && reading.bytes.length === 0;
}

function unstable(root: string, limitMs: number): SecretsError {
  return new SecretsError('MOUNT_UNSTABLE', `the files of ${root} kept changing for ${limitMs / 1000} s`, {
    source: 'mounted-files',
    next: 'Replace files by rename, or write all of them at once. The last good values stay in use.',
  });
}
