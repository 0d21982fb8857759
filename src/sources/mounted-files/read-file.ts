import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { dirname, relative, sep } from 'node:path';
import { SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import type { FailedReading, FoundReading, MissingReading } from '../source';

/** One file as it was seen. `mark` is its state without its bytes: it tells "certainly the same", never "changed". */
export type FileReading =
  | (FoundReading & { readonly mark: string; readonly changedAtMs: number })
  | (MissingReading & { readonly mark: string })
  | (FailedReading & { readonly mark: string; readonly passing: boolean });

/** Where files are read, and what they may be. */
export interface Place {
  /** The mount: no link may lead out of it. */
  readonly root: string;
  /** The directory of this generation: the mount itself, or the target of its `..data`. */
  readonly base: string;
  readonly maxFileBytes: number;
}

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
// A FIFO must not block the reader.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/**
 * Reads one file without waiting. A mount is memory (tmpfs): an open, a stat and a read together take about 4 µs,
 * one hop through the thread pool takes more than ten times that, and a generation that is read in one go is
 * hardly ever swapped away half-way.
 */
export function readSecretFile(place: Place, name: string, file: string): FileReading {
  const path = `${place.base}/${file}`;
  try {
    if (NO_FOLLOW === 0 || file.includes('/')) assertInside(place.root, name, dirname(path), path);
    const descriptor = openInside(place.root, name, path);
    try {
      return readDescriptor(place, name, path, descriptor);
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
    next: 'Put the file itself into the mount, or mount the directory that holds it.',
  });
}

function readDescriptor(place: Place, name: string, path: string, descriptor: number): FileReading {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) {
    throw new SecretsError('FILE_UNREADABLE', `${path} is not a regular file`, {
      secret: name,
      next: 'Name the file itself; a nested alias has the form directory/file.',
    });
  }
  if (stat.size > place.maxFileBytes) {
    const size = `${path} has ${stat.size} bytes, more than the limit of ${place.maxFileBytes}`;
    throw new SecretsError('FILE_TOO_LARGE', size, {
      secret: name,
      next: 'Raise maxFileBytes of mountedFiles if this really is a secret.',
    });
  }
  // One byte more than expected, to notice a file that grows while it is read.
  const buffer = Buffer.alloc(stat.size + 1);
  let length = 0;
  for (;;) {
    const count = readSync(descriptor, buffer, length, buffer.length - length, null);
    length += count;
    if (count === 0 || length === buffer.length) break;
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

/** The mark of a file without reading it: the same text as a reading has when nothing changed. */
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
    return { status: 'failed', error, mark: error.code, passing: false };
  }
  const code = errorCode(error) ?? 'an unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return { status: 'missing', looked: path, mark: 'ENOENT' };
  return {
    status: 'failed',
    mark: code,
    passing: true,
    error: new SecretsError('FILE_UNREADABLE', `${path} cannot be read: ${code}${permissions(path)}`, {
      secret: name,
      next: 'Check the filePermission of the object, the securityContext of the pod and the node.',
    }),
  };
}

/** Mode and owner of a path, and who we are: what a permission error is about. */
export function permissions(path: string): string {
  // The effective user is the one whose access is checked.
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
