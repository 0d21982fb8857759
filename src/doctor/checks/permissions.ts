import type { Stats } from 'node:fs';
import { listFiles } from '../../sources/mounted-files/list-files';
import { DATA_LINK, statIfThere } from '../../sources/mounted-files/paths';
import { type Finding, finding } from '../findings';
import type { MountKind } from '../mountinfo';
import type { System } from '../system';

/** Files that every user may read or write. In a volume that is mounted read-only, nobody may write. */
export function checkModes(system: System, path: string, readOnly: boolean): Finding[] {
  if (system.user === undefined) return [];
  const base = statIfThere(`${path}/${DATA_LINK}`) === undefined ? path : `${path}/${DATA_LINK}`;
  const modes = filesOf(base).flatMap((file) => {
    const stat = statIfThere(`${base}/${file}`);
    return stat === undefined ? [] : [{ file, mode: stat.mode }];
  });
  const writable = readOnly ? [] : modes.filter(({ mode }) => (mode & 0o002) !== 0);
  const found = writable.map(({ file, mode }) => {
    const place = `${path}/${file}`;
    return finding('FILE_WORLD_WRITABLE', { path: place, mode: octal(mode) }, { secret: file, place });
  });
  const directory = statIfThere(path)?.mode ?? 0;
  // With the sticky bit, as on a tmpfs, others may not replace files.
  if (!readOnly && (directory & 0o1002) === 0o002) {
    found.push(finding('FILE_WORLD_WRITABLE', { path, mode: octal(directory) }, { place: path }));
  }
  const readable = modes.filter(({ mode }) => (mode & 0o004) !== 0).map(({ file }) => file);
  if (readable.length > 0) {
    found.push(finding('FILE_WORLD_READABLE', { path, files: readable }, { place: path }));
  }
  return found;
}

/** Says which setting lets this user read a path; `undefined` if its permissions are not the reason. */
export function adviceFor({ user }: System, path: string, kind: MountKind): string | undefined {
  const stat = statIfThere(path);
  if (stat === undefined || user === undefined) return undefined;
  const groups = [...new Set([user.gid, ...user.groups])];
  const isMember = groups.includes(stat.gid);
  const bit = stat.isDirectory() ? 0o050 : 0o040;
  const who = `uid ${user.uid} with the groups ${groups.join(', ')}`;
  if (!isMember && (stat.mode & bit) === bit) {
    return `The group ${stat.gid} may read it, and ${who} is not in it: set supplementalGroups: [${stat.gid}]${
      kind === 'csi' ? '' : ` or fsGroup: ${stat.gid}`
    } in the securityContext of the pod.`;
  }
  return ADVICE[kind]?.(user.uid, user.gid) ?? plainAdvice(user.uid, stat, path);
}

type Advice = (uid: number, gid: number) => string;

const forCsi: Advice = (uid) =>
  `Set filePermission: "0444" of the object in the SecretProviderClass, since uid ${uid} is not root. fsGroup does not apply to CSI mounts.`;
const forSecret: Advice = (_uid, gid) =>
  `Set defaultMode: 0440 of the volume, and fsGroup: ${gid === 0 ? 'GID' : gid} in the securityContext of the pod.`;

const ADVICE: Partial<Readonly<Record<MountKind, Advice>>> = {
  csi: forCsi,
  secret: forSecret,
  configmap: forSecret,
  projected: forSecret,
  kubernetes: (uid, gid) => `For a CSI volume: ${forCsi(uid, gid)} For a Secret: ${forSecret(uid, gid)}`,
};

function plainAdvice(uid: number, stat: Stats, path: string): string {
  return stat.isDirectory()
    ? `Run as its owner: chown -R ${uid} ${path}, or chmod o+rx ${path}`
    : `Run as its owner: chown ${uid} ${path}`;
}

function filesOf(base: string): string[] {
  try {
    return listFiles(base).files;
  } catch {
    return [];
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
