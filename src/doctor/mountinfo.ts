import { sep } from 'node:path';
import type { MountLine } from '../sources/mounted-files/mountinfo';

/** What is mounted at a path. */
export type MountKind =
  /** A volume of the Secrets Store CSI driver. */
  | 'csi'
  /** A volume of a Kubernetes Secret. */
  | 'secret'
  | 'configmap'
  | 'projected'
  /** A volume with `..data` whose kind the container cannot see: CSI and Secret volumes are alike from inside. */
  | 'kubernetes'
  /** A directory without `..data`. */
  | 'plain'
  /** A single file instead of a directory. */
  | 'file'
  | 'absent';

/** The mount that a path lies in: the deepest one, and of several at one place the last, which hides the others. */
export function mountOf(lines: readonly MountLine[], path: string): MountLine | undefined {
  let found: MountLine | undefined;
  for (const line of lines) {
    const { mountPoint } = line;
    const prefix = mountPoint === sep ? sep : mountPoint + sep;
    if (path !== mountPoint && !path.startsWith(prefix)) continue;
    if (found === undefined || mountPoint.length >= found.mountPoint.length) found = line;
  }
  return found;
}

const VOLUME_KINDS: Readonly<Record<string, MountKind>> = {
  csi: 'csi',
  secret: 'secret',
  configmap: 'configmap',
  projected: 'projected',
};

/** The kind that the path of the volume on the node names, which volumes on disk show. */
export function volumeKind({ root }: MountLine): MountKind | undefined {
  const [, name = ''] = /\/volumes\/kubernetes\.io~([\w-]+)\//.exec(root) ?? [];
  return VOLUME_KINDS[name];
}

const NETWORK =
  /^(nfs4?|cifs|smb\w*|9p|ceph|glusterfs|virtiofs|vboxsf|prl_fs|afs|fuse(\.|$)|azurefile|lustre|gpfs)/;

export function isNetwork(fileSystem: string): boolean {
  return NETWORK.test(fileSystem);
}
