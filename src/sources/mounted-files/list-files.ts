import { type Dirent, readdirSync, statSync } from 'node:fs';
import { errorCode } from '../../internal/describe-error';

const MAX_DEPTH = 8;

/**
 * Paths of all files below `base`, relative to it, with `/` between the parts. Names that start with `..` belong to
 * the writer of the mount.
 */
export function listFiles(base: string, prefix = '', depth = 0): string[] {
  const files: string[] = [];
  for (const entry of entriesOf(base, prefix)) {
    if (depth === 0 && entry.name.startsWith('..')) continue;
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (isDirectory(base, path, entry)) {
      if (depth < MAX_DEPTH) files.push(...filesBelow(base, path, depth + 1));
    } else if (entry.isFile() || entry.isSymbolicLink()) {
      files.push(path);
    }
  }
  return files;
}

/** A directory that may not be listed stands for its files: reading it as one says why. One that just went has none. */
function filesBelow(base: string, path: string, depth: number): string[] {
  try {
    return listFiles(base, path, depth);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EACCES' || code === 'EPERM') return [path];
    if (code === 'ENOENT') return [];
    throw error;
  }
}

function entriesOf(base: string, prefix: string): Dirent[] {
  return readdirSync(prefix === '' ? base : `${base}/${prefix}`, { withFileTypes: true });
}

function isDirectory(base: string, path: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  try {
    return statSync(`${base}/${path}`).isDirectory();
  } catch (error) {
    // A link that dangles for a moment is read, and judged, as a file.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}
