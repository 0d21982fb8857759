import { type Dirent, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { errorCode } from '../../internal/describe-error';
import { DATA_LINK, isInside, statIfThere } from './paths';

/** Number of directories below the mount that a listed file may lie in, one in the other. Declared files may lie deeper. */
export const MAX_DEPTH = 8;

/** The files below a directory, as relative paths separated by `/`. */
export interface Listing {
  readonly files: string[];
  /** Directories that lie too deep and are not listed. */
  readonly tooDeep: string[];
}

/** What editors, writers and file systems leave next to the files that count. */
const LEFTOVERS =
  /^(\.git(keep|ignore|attributes)?|\.DS_Store|\.nfs[0-9a-f]+|\.goutputstream-.*|lost\+found|Thumbs\.db|desktop\.ini|4913|#.*#|\.#.*|.*~|.*\.(sw[a-px]|te?mp|bak|orig|rej|part|filepart|dpkg-\w+|rpm(new|save|orig)))$/;

/**
 * Lists all files below `base`. Lists each directory once, whatever links lead to it, and none outside `base` and the mount.
 * Skips names that start with `..`, which belong to the writer of a volume, and what editors and file systems leave behind.
 * A directory that cannot be listed, or that a link finds outside, is returned as a file: reading it reports the cause.
 */
export function listFiles(base: string, root = base, enter: (directory: string) => void = () => {}): Listing {
  const listing: Listing = { files: [], tooDeep: [] };
  const visited = new Set<string>();
  let realRoot: string | undefined;
  /** Links to directories come last, so that a directory is listed under its own name. */
  const links: { path: string; depth: number }[] = [];

  function list(prefix: string, depth: number): void {
    const directory = prefix === '' ? base : `${base}/${prefix}`;
    const { dev, ino } = statSync(directory);
    if (visited.has(`${dev}:${ino}`)) return;
    visited.add(`${dev}:${ino}`);
    enter(directory);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.name.startsWith('..') || LEFTOVERS.test(entry.name)) continue;
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) below(path, depth + 1);
      else if (leadsToDirectory(base, path, entry)) links.push({ path, depth: depth + 1 });
      else if (entry.isFile() || entry.isSymbolicLink()) listing.files.push(path);
    }
  }

  function below(path: string, depth: number): void {
    if (depth > MAX_DEPTH) {
      listing.tooDeep.push(path);
      return;
    }
    try {
      list(path, depth);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EACCES' || code === 'EPERM') listing.files.push(path);
      // It has just vanished.
      else if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }

  list('', 0);
  for (let next = links.shift(); next !== undefined; next = links.shift()) {
    realRoot ??= realpathSync(root);
    if (staysInside(`${base}/${next.path}`, realRoot)) below(next.path, next.depth);
    else listing.files.push(next.path);
  }
  return listing;
}

function leadsToDirectory(base: string, path: string, entry: Dirent): boolean {
  if (!entry.isSymbolicLink()) return false;
  // A link that dangles for a moment, or leads in a circle, is a file.
  return statIfThere(`${base}/${path}`)?.isDirectory() ?? false;
}

function staysInside(link: string, realRoot: string): boolean {
  try {
    return isInside(realRoot, realpathSync(link));
  } catch {
    // It has just vanished: reading it as a file says so.
    return false;
  }
}

/** Returns the target of the link `..data` in a directory; `undefined` if there is none. */
export function volumeTarget(directory: string): string | undefined {
  try {
    return readlinkSync(`${directory}/${DATA_LINK}`);
  } catch {
    return undefined;
  }
}
