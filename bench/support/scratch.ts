import { accessSync, constants, mkdtempSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TMPFS_MAGIC = 0x01021994;

/** Uses tmpfs if available: real mounts are in memory, and a disk would distort the figures. */
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
