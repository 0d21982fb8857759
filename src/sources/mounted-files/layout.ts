import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSecretsError, SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { DATA_LINK } from './paths';
import { adviceFor, allowRead, DENIED, permissionsFor } from './read-file';

/** The mount that a store reads when neither `sources` nor `$SECRETS_PATH` names one. */
export const DEFAULT_MOUNT = '/mnt/secrets-store';

/** The state of a mount that decides how to watch it. */
export interface MountState {
  readonly layout: 'kubernetes' | 'plain' | 'absent';
  /** Identifies the directory: a mount that was deleted and recreated gets a new identity. */
  readonly identity: string;
  /** The directory to watch: the mount itself or, for an absent mount, the nearest existing directory above it. */
  readonly directory: string;
}

export function mountState(root: string): MountState {
  try {
    const identity = identityOf(root);
    return { layout: dataTarget(root) === undefined ? 'plain' : 'kubernetes', identity, directory: root };
  } catch {
    return absentState(root);
  }
}

function absentState(root: string): MountState {
  for (let directory = dirname(root); ; directory = dirname(directory)) {
    try {
      return { layout: 'absent', identity: identityOf(directory), directory };
    } catch {
      if (directory === dirname(directory)) return { layout: 'absent', identity: '', directory };
    }
  }
}

/** Includes the birth time, because file systems reuse the inode of a deleted directory. */
function identityOf(directory: string): string {
  const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

/** Reads the link `..data`. Returns `undefined` if it does not exist. */
export function dataTarget(root: string): string | undefined {
  try {
    return readlinkSync(`${root}/${DATA_LINK}`);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') return undefined;
    throw code === DENIED ? mountDenied(root) : unreadable(root, code);
  }
}

/** Returns the reason why `root` cannot be used as a mount, or `undefined` if it can. */
export function mountProblem(root: string): SecretsError | undefined {
  try {
    if (!statSync(root).isDirectory()) return notDirectory(root);
    const entries = readdirSync(root);
    const target = dataTarget(root);
    if (target !== undefined) {
      return hasEntries(`${root}/${DATA_LINK}`)
        ? undefined
        : empty(root, `${DATA_LINK} leads to ${target}, which has no files`);
    }
    const writerEntries = entries.filter((name) => name.startsWith('..'));
    if (writerEntries.length > 0) {
      const found = writerEntries.slice(0, 3).join(', ');
      return empty(root, `expected the link ${DATA_LINK} and found only ${found}`);
    }
    return entries.length > 0 ? undefined : empty(root, `expected ${DATA_LINK} or files and found nothing`);
  } catch (error) {
    if (isSecretsError(error)) return error;
    const code = errorCode(error);
    if (code === 'ENOENT') return mountMissing(root);
    if (code === DENIED) return mountDenied(root);
    return code === 'ENOTDIR' ? notDirectory(root) : unreadable(root, code);
  }
}

function hasEntries(directory: string): boolean {
  try {
    return readdirSync(directory).length > 0;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

export function mountMissing(root: string): SecretsError {
  return new SecretsError('MOUNT_MISSING', `the mount ${root} does not exist`, {
    source: 'mounted-files',
    next: 'Check volumeMounts.mountPath of the container and SECRETS_PATH. If the mount appears later, set waitForMountMs.',
  });
}

function notDirectory(root: string): SecretsError {
  return new SecretsError('MOUNT_NOT_DIRECTORY', `the mount ${root} is not a directory`, {
    source: 'mounted-files',
    next: 'Pass the directory with the secret files, not one of the files.',
  });
}

function empty(root: string, found: string): SecretsError {
  return new SecretsError('MOUNT_EMPTY', `the mount ${root} has no secrets: ${found}`, {
    source: 'mounted-files',
    next: 'Check the events of the pod and the objects of its SecretProviderClass.',
  });
}

function unreadable(root: string, code: string | undefined): SecretsError {
  const what = `the mount ${root} cannot be read: ${code ?? 'unknown error'}${permissionsFor(code, root)}`;
  return new SecretsError('MOUNT_UNREADABLE', what, {
    source: 'mounted-files',
    next: adviceFor(code) ?? 'Allow the user of this process to list and enter the directory.',
  });
}

/** Tells whether Node's permission model denies reading the mount, whether it exists or not. */
export function isDenied(root: string): boolean {
  return process.permission?.has('fs.read', root) === false;
}

function mountDenied(root: string): SecretsError {
  const what = `the mount ${root} may not be read, because Node runs with --permission`;
  return new SecretsError('MOUNT_UNREADABLE', what, { source: 'mounted-files', next: allowRead(root) });
}
