import { dirname } from 'node:path';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import type { FailedReading, FoundReading, MissingReading } from '../source';
import { isInside, lstatIfThere, realPathOf } from './paths';

const { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync, statSync } =
  builtin('fs');

/**
 * The result of reading one file. `mark` describes the state of the file without its bytes: equal marks prove that the file
 * did not change; different marks prove nothing.
 */
export type FileReading =
  | (FoundReading & { readonly mark: string; readonly changedAtMs: number; readonly appearedAtMs: number })
  | (MissingReading & { readonly mark: string })
  | (FailedReading & { readonly mark: string; readonly transient: boolean });

/** The directory to read files from, and the limits for files. */
export interface MountView {
  /** The mount, as messages name it. */
  readonly root: string;
  /** The mount without links. Links must not lead out of it. */
  readonly realRoot: string;
  /** The path to open the files of this generation with: those of the mount itself, or of the target of its `..data`. */
  readonly base: string;
  readonly maxFileBytes: number;
  /** When the directory of this generation took its place, in milliseconds since the epoch. Its files may be older. */
  readonly swappedAtMs?: number;
}

const CHUNK_BYTES = 16 * 1024;

/**
 * Fresh memory for the files of one read. Small files share a chunk, because memory for each of them costs as much as
 * reading it; Node's own pool would share it with the rest of the process.
 */
export class ReadMemory {
  #chunk = Buffer.alloc(0);
  #used = 0;

  take(size: number): Buffer {
    if (size > CHUNK_BYTES / 4) return Buffer.alloc(size);
    if (this.#used + size > this.#chunk.length) {
      this.#chunk = Buffer.alloc(CHUNK_BYTES);
      this.#used = 0;
    }
    this.#used += size;
    return this.#chunk.subarray(this.#used - size, this.#used);
  }
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
// Without O_NONBLOCK, opening a FIFO would block the process.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Reads one file synchronously. A mount is in memory (tmpfs): open, stat and read together take about 4 µs, while one hop
 * through the thread pool takes more than ten times as long. `at` is where the file lies below the base, if not at `file`.
 */
export function readSecretFile(
  view: MountView,
  memory: ReadMemory,
  name: string,
  file: string,
  at = file,
): FileReading {
  // Without the directory of this generation, so that equal causes have equal messages.
  const shown = `${view.root}/${file}`;
  const path = `${view.base}/${at}`;
  try {
    const { descriptor, passedLinks } = openInside(
      view,
      name,
      path,
      shown,
      NO_FOLLOW === 0 || at.includes('/'),
    );
    try {
      const reading = readDescriptor(view, memory, name, shown, descriptor);
      if (!passedLinks || reading.status !== 'found') return reading;
      // A link, or a directory, may have taken its place long after the file was written.
      return { ...reading, appearedAtMs: Math.max(reading.appearedAtMs, wayChangedAtMs(view.base, at)) };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return failure(name, path, shown, error);
  }
}

/**
 * Opens a file that lies inside the mount. The real path of the open file decides that, because a link may be swapped after
 * any check of its name.
 */
function openInside(
  view: MountView,
  name: string,
  path: string,
  shown: string,
  mayPassLinks: boolean,
): { readonly descriptor: number; readonly passedLinks: boolean } {
  let descriptor: number;
  try {
    descriptor = openSync(path, FLAGS | NO_FOLLOW);
    if (!mayPassLinks) return { descriptor, passedLinks: false };
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ELOOP' && code !== 'EMLINK') throw error;
    // Opening a device outside may have effects.
    assertInside(view, name, realpathSync(path), shown);
    descriptor = openSync(path, FLAGS);
  }
  try {
    const real = realPathOf(descriptor, path);
    if (real === undefined) throw Object.assign(new Error('another file took its place'), { code: 'ESTALE' });
    assertInside(view, name, real, shown);
    return { descriptor, passedLinks: true };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The time of the last change of the directories and links that lead to a file. */
function wayChangedAtMs(base: string, at: string): number {
  const parts = at.split('/');
  const ways = parts.map((_, index) => lstatIfThere(`${base}/${parts.slice(0, index + 1).join('/')}`));
  return Math.max(...ways.map((way) => way?.ctimeMs ?? Number.POSITIVE_INFINITY));
}

function assertInside(view: MountView, name: string, target: string, shown: string): void {
  if (isInside(view.realRoot, target)) return;
  const above = commonDirectory(view.realRoot, dirname(target));
  const both = above === '/' ? 'a directory that contains both' : `${above}, which contains both,`;
  throw new SecretsError(
    'FILE_OUTSIDE_MOUNT',
    `the link at ${shown} leads out of the mount ${view.root}, to ${target}`,
    {
      secret: name,
      next: `Put the file itself into the mount, or use ${both} as the mount.`,
    },
  );
}

function commonDirectory(one: string, other: string): string {
  let common = one;
  while (!isInside(common, other)) common = dirname(common);
  return common;
}

function readDescriptor(
  view: MountView,
  memory: ReadMemory,
  name: string,
  path: string,
  descriptor: number,
): FileReading {
  const stat = fstatSync(descriptor);
  // A key that became `key/part`: the file is gone, and nothing is wrong with the mount.
  if (stat.isDirectory())
    return { status: 'missing', looked: `${path}, which is a directory`, mark: 'EISDIR' };
  if (!stat.isFile()) {
    throw new SecretsError('FILE_UNREADABLE', `${path} is not a regular file`, {
      secret: name,
      next: 'Use the path of a file. The alias of a file in a subdirectory is directory/file.',
    });
  }
  if (stat.size > view.maxFileBytes) {
    // Without its size, because a file that keeps growing is one cause.
    const what = `${path} is larger than the limit of ${view.maxFileBytes} bytes`;
    throw new SecretsError('FILE_TOO_LARGE', what, {
      secret: name,
      next: 'Raise maxFileBytes of mountedFiles if the file really is a secret.',
    });
  }
  // One byte more than expected, to detect a file that grows during the read.
  const buffer = memory.take(stat.size + 1);
  let length = 0;
  for (;;) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null);
    length += count;
    if (count === 0 || length >= stat.size) break;
  }
  const changedAtMs = Math.max(stat.mtimeMs, stat.ctimeMs);
  const mark = `${stat.ino}:${length === stat.size ? stat.size : 'moving'}:${stat.mtimeMs}:${stat.ctimeMs}`;
  return {
    status: 'found',
    bytes: buffer.subarray(0, length),
    origin: path,
    mark,
    changedAtMs,
    appearedAtMs: Math.max(changedAtMs, view.swappedAtMs ?? 0),
  };
}

/** Returns the mark of a file without reading it. It equals the mark of the last reading if nothing changed. */
export function markOf(base: string, file: string): string {
  try {
    const stat = statSync(`${base}/${file}`);
    if (stat.isDirectory()) return 'EISDIR';
    return `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
  } catch (error) {
    return errorCode(error) ?? 'unknown';
  }
}

function failure(name: string, path: string, shown: string, error: unknown): FileReading {
  if (error instanceof SecretsError) {
    return { status: 'failed', error, mark: error.code, transient: false };
  }
  const code = errorCode(error) ?? 'an unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { status: 'missing', looked: shown + danglingTarget(path), mark: 'ENOENT' };
  }
  return {
    status: 'failed',
    mark: code,
    transient: true,
    error: new SecretsError(
      'FILE_UNREADABLE',
      `${shown} cannot be read: ${code}${permissionsFor(code, path)}`,
      {
        secret: name,
        next:
          code === DENIED
            ? allowRead(shown)
            : (adviceFor(code) ??
              'Check the filePermission of the object, the securityContext of the pod and the node.'),
      },
    ),
  };
}

const ADVICE: Readonly<Record<string, string>> = {
  ELOOP: 'Remove the link that leads to itself.',
  EMFILE: 'This process has too many open files: raise its limit (ulimit -n), or find what it leaves open.',
  ENFILE: 'The machine has too many open files: raise fs.file-max, or find what leaves them open.',
  ENAMETOOLONG: 'Shorten `file` of the definition, or its alias.',
  EIO: 'Check the disk or the network file system below the mount.',
  ESTALE: 'Check the network file system below the mount.',
};

/** What to do about an error that is not about permissions. */
export function adviceFor(code: string | undefined): string | undefined {
  return ADVICE[code ?? ''];
}

function danglingTarget(path: string): string {
  try {
    return `, a link to ${readlinkSync(path)}, which does not exist`;
  } catch {
    return '';
  }
}

/** The code with which Node's permission model (`--permission`) denies access. */
export const DENIED = 'ERR_ACCESS_DENIED';

export function allowRead(path: string): string {
  return `Start Node with --allow-fs-read=${path} too.`;
}

/** The facts of `permissions`, if the code is about permissions. */
export function permissionsFor(code: string | undefined, path: string): string {
  return code === 'EACCES' || code === 'EPERM' || code === DENIED ? permissions(path) : '';
}

/** Describes the facts behind a permission error: mode and owner of a path, and the user of this process. */
function permissions(path: string): string {
  // The kernel checks the access of the effective user.
  const user = process.geteuid?.();
  if (user === undefined) return '';
  try {
    const { mode, uid, gid } = statSync(path);
    const octal = (mode & 0o7777).toString(8).padStart(4, '0');
    return ` (mode ${octal}, owner ${uid}:${gid}, this process runs as uid ${user})`;
  } catch {
    return ` (this process runs as uid ${user})`;
  }
}
