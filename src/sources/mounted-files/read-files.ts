import { type Dirent, readdirSync, statSync } from 'node:fs';
import { errorCode } from '../../internal/describe-error';
import type { ReadRequest } from '../source';
import { type FileReading, type MountView, ReadMemory, readSecretFile } from './read-file';

/** The result of one read of a mount. `readings` is `undefined` if nothing changed since `request.since`. */
export interface MountReading {
  readonly readings: ReadonlyMap<string, FileReading> | undefined;
  readonly revision: string | undefined;
}

/** Number of levels of subdirectories that are listed and watched. */
export const MAX_DEPTH = 8;

/** Reads the requested files and, with `list`, every file below the mount. Reads each file once. */
export function readFiles(view: MountView, { lookups, list }: ReadRequest): Map<string, FileReading> {
  const readings = new Map<string, FileReading>();
  const memory = new ReadMemory();
  if (list) {
    for (const file of listFiles(view.base)) readings.set(file, readSecretFile(view, memory, file, file));
  }
  for (const { name, file } of lookups) {
    const listed = name === file && readings.has(name);
    if (!listed) readings.set(name, readSecretFile(view, memory, name, file));
  }
  return readings;
}

/**
 * Lists all files below `base` as relative paths, separated by `/`. Skips names at the top that start with `..`, which belong
 * to the writer of the mount.
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

/**
 * Lists the files of a subdirectory. If it cannot be listed, returns the directory itself: reading it as a file reports the
 * cause. A directory that has just vanished has no files.
 */
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
    // Treat a link that dangles for a moment as a file.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}
