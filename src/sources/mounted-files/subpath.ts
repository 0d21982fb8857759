import { readFileSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { SecretsError } from '../../errors';

/** A bind mount of one entry of a timestamp directory: `/..2026_11_23_20_01_21.1853148849/password`. */
const TIMESTAMPED = /\/\.\.\d{4}_\d{2}_\d{2}_\d{2}_\d{2}_\d{2}\.\d+(\/|$)/;

/**
 * Finds `subPath` mounts at or below `root`. The kubelet binds the file of the moment into the container, so they
 * never update; the root of the mount (field 4 of mountinfo, proc(5)) still names the timestamp directory.
 */
export function findSubPathMounts(mountinfo: string, root: string): { path: string; evidence: string }[] {
  const directory = resolve(root);
  const found: { path: string; evidence: string }[] = [];
  for (const line of mountinfo.split('\n')) {
    const [, , , mountRoot, mountPoint] = line.split(' ').map(unescapeOctal);
    if (mountRoot === undefined || mountPoint === undefined) continue;
    if (mountPoint !== directory && !mountPoint.startsWith(directory + sep)) continue;
    if (TIMESTAMPED.test(mountRoot)) found.push({ path: mountPoint, evidence: mountRoot });
  }
  return found;
}

/** The warning for a mount that will never rotate; undefined where all is well or mountinfo cannot be read. */
export function subPathProblem(root: string): SecretsError | undefined {
  let mountinfo: string;
  try {
    mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return undefined;
  }
  const found = findSubPathMounts(mountinfo, root);
  if (found.length === 0) return undefined;
  const evidence = found.map(({ path, evidence }) => `${path} is bound to ${evidence}`).join('; ');
  return new SecretsError('MOUNT_SUBPATH', `a subPath mount never rotates: mountinfo says that ${evidence}`, {
    source: 'mounted-files',
    next: 'Mount the whole volume without subPath and name the file in the definition.',
  });
}

function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
