import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { MountState } from '../../watch/watch-mount';
import { dataTarget } from './layout';

/** What watching has to know of a mount; of one that is not there, the nearest directory above it that is. */
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

/** File systems give the inode of a deleted directory to the next one; its birth time is new. */
function identityOf(directory: string): string {
  const { dev, ino, birthtimeNs } = statSync(directory, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}
