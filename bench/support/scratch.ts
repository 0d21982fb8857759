import { accessSync, constants, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TMPFS_MAGIC = 0x01021994;

/** Real mounts are memory; a disk below would be measured instead. */
export function makeScratch(): { path: string; tmpfs: boolean } {
  const tmpfs = isWritableTmpfs('/dev/shm');
  return { path: mkdtempSync(join(tmpfs ? '/dev/shm' : tmpdir(), 'hot-secrets-bench-')), tmpfs };
}

function isWritableTmpfs(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return statfsSync(path).type === TMPFS_MAGIC;
  } catch {
    return false;
  }
}
