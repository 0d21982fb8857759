import { SecretsError } from '../../errors';
import { realDate, realDelay, realNow } from '../../internal/real-time';
import type { ReadRequest } from '../source';
import { type FileReading, markOf } from './read-file';
import { listFiles, type MountReading, readFiles } from './read-files';

const SETTLE_STEP_MS = 20;
const MAX_SETTLE_MS = 1000;
/** Timestamps are coarse: a file that changed within this time may change again without a new timestamp. */
const RACY_MS = 2000;

/**
 * Reads a plain directory, whose files may be half-written, until two passes agree. For up to a second, an empty file counts
 * as a write in progress if `hadValue` returns true, that is, if it had a value or nothing is known yet.
 */
export async function readPlain(
  root: string,
  maxFileBytes: number,
  request: ReadRequest,
  hadValue: (name: string) => boolean,
): Promise<MountReading> {
  if (request.since !== undefined && request.since === currentRevision(root, request)) {
    return { readings: undefined, revision: request.since };
  }
  const deadline = realNow() + MAX_SETTLE_MS;
  const view = { root, base: root, maxFileBytes };
  let previous = readFiles(view, request);
  for (;;) {
    if (newestChange(previous) > realDate() - SETTLE_STEP_MS) await realDelay(SETTLE_STEP_MS, request.signal);
    const current = readFiles(view, request);
    const late = realNow() > deadline;
    const waiting = !late && [...current].some(([name, reading]) => isEmpty(reading) && hadValue(name));
    if (agree(previous, current) && !waiting) {
      return { readings: current, revision: revisionFor(current) };
    }
    if (late || request.signal.aborted) throw unstable(root);
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

function newestChange(readings: ReadonlyMap<string, FileReading>): number {
  let newest = 0;
  for (const reading of readings.values()) {
    if (reading.status === 'found') newest = Math.max(newest, reading.changedAtMs);
  }
  return newest;
}

function revisionFor(readings: ReadonlyMap<string, FileReading>): string | undefined {
  if (newestChange(readings) > Date.now() - RACY_MS) return undefined;
  return join([...readings].map(([name, reading]) => [name, reading.mark]));
}

function currentRevision(root: string, { lookups, list }: ReadRequest): string {
  const marks = new Map<string, string>();
  if (list) for (const file of listFiles(root)) marks.set(file, markOf(root, file));
  for (const { name, file } of lookups) marks.set(name, markOf(root, file));
  return join([...marks]);
}

function join(marks: [name: string, mark: string][]): string {
  return marks
    .map(([name, mark]) => `${name}=${mark}`)
    .sort()
    .join('\n');
}

function unstable(root: string): SecretsError {
  return new SecretsError('MOUNT_UNSTABLE', `the files of ${root} kept changing for a second`, {
    source: 'mounted-files',
    next: 'Replace files by rename, or write all of them at once. The last good values stay in use.',
  });
}
