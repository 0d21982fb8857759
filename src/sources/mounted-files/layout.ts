import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { isSecretsError, SecretsError } from '../../errors';
import { errorCode } from '../../internal/describe-error';
import { listFiles } from './list-files';
import { permissions } from './read-file';

/** The link that Kubernetes swaps: `..data` → `..2026_11_23_20_01_21.1853148849`. */
export const DATA_LINK = '..data';

/** The target of `..data`, or undefined where there is no such link. */
export function dataTarget(root: string): string | undefined {
  try {
    return readlinkSync(`${root}/${DATA_LINK}`);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') return undefined;
    throw unreadable(root, code);
  }
}

/** What keeps `root` from being a mount with secrets; undefined when it is one. */
export function mountProblem(root: string): SecretsError | undefined {
  try {
    if (!statSync(root).isDirectory()) return notDirectory(root);
    const entries = readdirSync(root);
    const target = dataTarget(root);
    if (target !== undefined) {
      const files = filesOf(`${root}/${DATA_LINK}`);
      return files.length > 0
        ? undefined
        : empty(root, `${DATA_LINK} leads to ${target}, which holds no file`);
    }
    const writers = entries.filter((name) => name.startsWith('..'));
    if (writers.length > 0) {
      return empty(root, `expected the link ${DATA_LINK} and found only ${writers.slice(0, 3).join(', ')}`);
    }
    return entries.length > 0 ? undefined : empty(root, `expected ${DATA_LINK} or files and found nothing`);
  } catch (error) {
    if (isSecretsError(error)) return error;
    const code = errorCode(error);
    if (code === 'ENOENT') return mountMissing(root);
    return code === 'ENOTDIR' ? notDirectory(root) : unreadable(root, code);
  }
}

function filesOf(directory: string): string[] {
  try {
    return listFiles(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

export function mountMissing(root: string): SecretsError {
  return new SecretsError('MOUNT_MISSING', `the mount ${root} does not exist`, {
    source: 'mounted-files',
    next: 'Check volumeMounts.mountPath of the container and SECRETS_PATH, or set waitForMountMs if it comes later.',
  });
}

function notDirectory(root: string): SecretsError {
  return new SecretsError('MOUNT_NOT_DIRECTORY', `the mount ${root} is not a directory`, {
    source: 'mounted-files',
    next: 'Name the directory that holds the secret files, not one of the files.',
  });
}

function empty(root: string, found: string): SecretsError {
  return new SecretsError('MOUNT_EMPTY', `the mount ${root} holds no secret: ${found}`, {
    source: 'mounted-files',
    next: 'Check the events of the pod and the objects of its SecretProviderClass.',
  });
}

function unreadable(root: string, code: string | undefined): SecretsError {
  const what = `the mount ${root} cannot be read: ${code ?? 'unknown error'}${permissions(root)}`;
  return new SecretsError('MOUNT_UNREADABLE', what, {
    source: 'mounted-files',
    next: 'Let the user of this process list and enter the directory.',
  });
}
