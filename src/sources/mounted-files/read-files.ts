import { SecretsError } from '../../errors';
import { realNow, realTurn } from '../../internal/real-time';
import type { ReadRequest } from '../source';
import { listFiles, MAX_DEPTH, volumeTarget } from './list-files';
import { type FileReading, type MountView, markOf, ReadMemory, readSecretFile } from './read-file';

/** The result of one read of a mount. `readings` is `undefined` if nothing changed since `request.since`. */
export interface MountReading {
  readonly readings: ReadonlyMap<string, FileReading> | undefined;
  readonly revision: string | undefined;
}

/** The files that a read asks for. */
export type Wanted = Pick<ReadRequest, 'lookups' | 'list'>;

/** The mark of a directory that discovery does not list. */
export const TOO_DEEP = 'too deep';

/** After this time, the event loop gets a turn: many files take longer than one turn should. */
const SLICE_MS = 8;

/**
 * Reads the requested files and, with `list`, every file below the mount. Reads each file once. Below a plain directory there
 * may be volumes of their own, with a `..data`: each is read at one target, so that its files belong together.
 */
export async function readFiles(
  view: MountView,
  { lookups, list }: Wanted,
): Promise<Map<string, FileReading>> {
  const readings = new Map<string, FileReading>();
  const memory = new ReadMemory();
  const volumes = new Map<string, string | undefined>();
  const turn = slices();
  const read = (name: string, file: string): FileReading => {
    const at = inVolume(view.base, file, volumes);
    const reading = readSecretFile(view, memory, name, file, at);
    // A file may lie next to the `..data` of its directory.
    return reading.status === 'missing' && at !== file ? readSecretFile(view, memory, name, file) : reading;
  };
  if (list) {
    const { files, tooDeep } = listFiles(view.base, view.realRoot);
    for (const file of files) {
      readings.set(file, read(file, file));
      await turn();
    }
    for (const path of tooDeep) readings.set(path, deeperThanListed(view.root, path));
  }
  for (const { name, file } of lookups) {
    const listed = name === file && readings.has(name);
    if (!listed) readings.set(name, read(name, file));
    await turn();
  }
  return readings;
}

/** Returns the marks of the files that `readFiles` reads, without opening one. Equal marks prove that nothing changed. */
export async function currentMarks(base: string, { lookups, list }: Wanted): Promise<string> {
  const marks = new Map<string, string>();
  const turn = slices();
  if (list) {
    const { files, tooDeep } = listFiles(base);
    for (const file of files) {
      marks.set(file, markOf(base, file));
      await turn();
    }
    for (const path of tooDeep) marks.set(path, TOO_DEEP);
  }
  for (const { name, file } of lookups) {
    marks.set(name, markOf(base, file));
    await turn();
  }
  return joined(marks);
}

export function marksOf(readings: ReadonlyMap<string, FileReading>): string {
  return joined(new Map([...readings].map(([name, { mark }]) => [name, mark])));
}

function joined(marks: ReadonlyMap<string, string>): string {
  return [...marks]
    .map(([name, mark]) => `${name}=${mark}`)
    .sort()
    .join('\n');
}

/** The time of the last change of the files, in milliseconds since the epoch. */
export function newestChange(readings: ReadonlyMap<string, FileReading>): number {
  let newest = 0;
  for (const reading of readings.values()) {
    if (reading.status === 'found') newest = Math.max(newest, reading.changedAtMs);
  }
  return newest;
}

/** Returns where a file lies, with the target of each `..data` in its path, which `volumes` remembers. */
function inVolume(base: string, file: string, volumes: Map<string, string | undefined>): string {
  let at = '';
  const parts = file.split('/');
  for (const part of parts.slice(0, -1)) {
    at = at === '' ? part : `${at}/${part}`;
    if (!volumes.has(at)) volumes.set(at, volumeTarget(`${base}/${at}`));
    const target = volumes.get(at);
    if (target !== undefined) at = target.startsWith('/') ? at : `${at}/${target}`;
  }
  return at === '' ? file : `${at}/${parts.at(-1)}`;
}

function deeperThanListed(root: string, path: string): FileReading {
  const what = `discovery does not list ${root}/${path}, which lies more than ${MAX_DEPTH} directories deep`;
  const next = 'Declare the secrets in it, or use a deeper directory as the mount.';
  const error = new SecretsError('FILE_UNREADABLE', what, { secret: path, next });
  return { status: 'failed', error, mark: TOO_DEEP, transient: false };
}

/** Returns a function that gives the event loop a turn when `SLICE_MS` have passed since the last one. */
function slices(): () => Promise<void> | undefined {
  let startedAt = realNow();
  return () => {
    if (realNow() - startedAt < SLICE_MS) return undefined;
    return realTurn().then(() => {
      startedAt = realNow();
    });
  };
}
