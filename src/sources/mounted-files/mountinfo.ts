import { resolve, sep } from 'node:path';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';

const { readFileSync, statSync } = builtin('fs');

/** A bind mount of one entry of a timestamp directory: `/..2026_11_23_20_01_21.1853148849/password`. */
const TIMESTAMPED = /\/\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\d+(\/|$)/;

/** What the kernel appends to the root of a bind mount whose source was removed or replaced. */
const DELETED = '//deleted';

/** One line of `/proc/self/mountinfo`, proc(5). */
export interface MountLine {
  /** The path in the file system that is mounted: `/` for all of it. */
  readonly root: string;
  readonly mountPoint: string;
  readonly readOnly: boolean;
  /** `tmpfs`, `ext4`, `nfs4`. */
  readonly fileSystem: string;
}

export function mountLines(mountinfo: string): MountLine[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [fields = '', tail = ''] = line.split(' - ');
    const [, , , root, mountPoint, options = ''] = fields.split(' ').map(unescapeOctal);
    const [fileSystem = ''] = tail.split(' ');
    if (root === undefined || mountPoint === undefined) return [];
    return [{ root, mountPoint, readOnly: options.split(',').includes('ro'), fileSystem }];
  });
}

/** A mount at or below the mounted directory. */
interface Bind {
  readonly path: string;
  /** The path in the file system that is mounted here. */
  readonly evidence: string;
}

/** Finds the mounts at or below `root`. */
export function findBinds(mountinfo: string, root: string): Bind[] {
  const directory = resolve(root);
  return mountLines(mountinfo).flatMap(({ root: evidence, mountPoint: path }) =>
    path === directory || path.startsWith(directory + sep) ? [{ path, evidence }] : [],
  );
}

/**
 * Finds `subPath` mounts at or below `root`. The kubelet binds the current file into the container, so these mounts
 * never update; the root of the mount still names the timestamp directory.
 */
export function findSubPathMounts(mountinfo: string, root: string): Bind[] {
  return findBinds(mountinfo, root).filter(({ evidence }) => TIMESTAMPED.test(evidence));
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function readMountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    // Not Linux, or not allowed.
    return '';
  }
}

/** Returns a warning if the mount uses `subPath` and never rotates. Returns `undefined` if not, or if mountinfo is unreadable. */
export function subPathProblem(root: string, mountinfo = readMountinfo()): SecretsError | undefined {
  const found = findSubPathMounts(mountinfo, root);
  if (found.length === 0) return undefined;
  const evidence = found.map(({ path, evidence }) => `${path} is bound to ${evidence}`).join('; ');
  return new SecretsError(
    'MOUNT_SUBPATH',
    `a subPath mount never rotates: ${evidence} (from /proc/self/mountinfo)`,
    {
      source: 'mounted-files',
      next: 'Mount the whole volume without subPath, and name the file in the definition.',
    },
  );
}

/** Returns the files at or below `root` that are mounted one by one, as Compose and `-v file:file` do. */
export function singleFiles(root: string, mountinfo = readMountinfo()): string[] {
  return findBinds(mountinfo, root)
    .filter(({ path, evidence }) => !TIMESTAMPED.test(evidence) && isFile(path))
    .map(({ path }) => path);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The warning for files that are mounted one by one. */
export function singleFileProblem(files: readonly string[]): SecretsError {
  const what = `${files.join(', ')}: a file that is mounted by itself rotates only if it is written in place (from /proc/self/mountinfo)`;
  return new SecretsError('MOUNT_SINGLE_FILE', what, {
    source: 'mounted-files',
    next: 'Mount the directory that contains it, so that a file that replaces it by rename is seen too.',
  });
}

/** Returns an error if the source of the mount, or of one of its `paths`, was replaced or removed: it never changes again. */
export function replacedProblem(
  root: string,
  paths: readonly string[],
  mountinfo = readMountinfo(),
): SecretsError | undefined {
  const gone = findBinds(mountinfo, root).filter(
    ({ path, evidence }) =>
      evidence.endsWith(DELETED) &&
      !TIMESTAMPED.test(evidence) &&
      (path === resolve(root) || paths.some((one) => one === path || one.startsWith(path + sep))),
  );
  if (gone.length === 0) return undefined;
  const what = `what is mounted at ${gone.map(({ path }) => path).join(', ')} was replaced or removed on the host (from /proc/self/mountinfo), so this process still sees the old one`;
  return new SecretsError('MOUNT_REPLACED', what, {
    source: 'mounted-files',
    next: 'Restart the container. To follow rotations, mount the directory above, or write in place.',
  });
}
