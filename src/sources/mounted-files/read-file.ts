import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import type { FailedReading, FoundReading, MissingReading } from '../source';

/**
 * The result of reading one file. `mark` describes the state of the file without its bytes: equal marks prove that the file
 * did not change; different marks prove nothing.
 */
export type FileReading =
  | (FoundReading & { readonly mark: string; readonly changedAtMs: number })
  | (MissingReading & { readonly mark: string })
  | (FailedReading & { readonly mark: string; readonly transient: boolean });

/** The directory to read files from, and the limits for files. */
export interface MountView {
  /** The mount. Links must not lead out of it. */
  readonly root: string;
  /** The directory of this generation: the mount itself, or the target of its `..data`. */
  readonly base: string;
  readonly maxFileBytes: number;
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
 * through the thread pool takes more than ten times as long. A synchronous read of all files is also rarely interrupted by a
 * swap.
 */
export function readSecretFile(view: MountView, memory: ReadMemory, name: string, file: string): FileReading {
  const path = `${view.base}/${file}`;
  try {
    if (NO_FOLLOW === 0 || file.includes('/')) assertInside(view.root, name, dirname(path), path);
    const descriptor = openInside(view.root, name, path);
    try {
      return readDescriptor(view, memory, name, path, descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    return failure(name, path, error);
  }
}

function openInside(root: string, name: string, path: string): number {
  try {
    return openSync(path, FLAGS | NO_FOLLOW);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ELOOP' && code !== 'EMLINK') throw error;
    assertInside(root, name, path, path);
    return openSync(path, FLAGS);
  }
}

function assertInside(root: string, name: string, target: string, path: string): void {
  const inside = relative(realpathSync(root), realpathSync(target));
  if (inside !== '..' && !inside.startsWith(`..${sep}`) && !inside.startsWith(sep)) return;
  throw new SecretsError('FILE_OUTSIDE_MOUNT', `the link at ${path} leads out of the mount ${root}`, {
    secret: name,
    next: 'Put the file itself into the mount, or mount the directory that contains it.',
  });
}

function readDescriptor(
  view: MountView,
  memory: ReadMemory,
  name: string,
  path: string,
  descriptor: number,
): FileReading {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) {
    throw new SecretsError('FILE_UNREADABLE', `${path} is not a regular file`, {
      secret: name,
      next: 'Use the path of a file. The alias of a file in a subdirectory is directory/file.',
    });
  }
  if (stat.size > view.maxFileBytes) {
    const size = `${path} has ${stat.size} bytes, more than the limit of ${view.maxFileBytes}`;
    throw new SecretsError('FILE_TOO_LARGE', size, {
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
  const mark = `${stat.ino}:${length === stat.size ? stat.size : 'moving'}:${stat.mtimeMs}:${stat.ctimeMs}`;
  return {
    status: 'found',
    bytes: buffer.subarray(0, length),
    origin: path,
    mark,
    changedAtMs: Math.max(stat.mtimeMs, stat.ctimeMs),
  };
}

/** Returns the mark of a file without reading it. It equals the mark of the last reading if nothing changed. */
export function markOf(base: string, file: string): string {
  try {
    const stat = statSync(`${base}/${file}`);
    return `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`;
  } catch (error) {
    return errorCode(error) ?? 'unknown';
  }
}

function failure(name: string, path: string, error: unknown): FileReading {
  if (error instanceof SecretsError) {
    return { status: 'failed', error, mark: error.code, transient: false };
  }
  const code = errorCode(error) ?? 'an unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return { status: 'missing', looked: path, mark: 'ENOENT' };
  return {
    status: 'failed',
    mark: code,
    transient: true,
    error: new SecretsError('FILE_UNREADABLE', `${path} cannot be read: ${code}${permissions(path)}`, {
      secret: name,
      next:
        code === DENIED
          ? allowRead(path)
          : 'Check the filePermission of the object, the securityContext of the pod and the node.',
    }),
  };
}

/** The code with which Node's permission model (`--permission`) denies access. */
export const DENIED = 'ERR_ACCESS_DENIED';

export function allowRead(path: string): string {
  return `Start Node with --allow-fs-read=${path} too.`;
}

/** Describes the facts behind a permission error: mode and owner of a path, and the user of this process. */
export function permissions(path: string): string {
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
