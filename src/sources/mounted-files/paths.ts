import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { relative, sep } from 'node:path';

/** The link that Kubernetes swaps: `..data` → `..2026_11_23_20_01_21.1853148849`. */
export const DATA_LINK = '..data';

/** Follows a path. Returns `undefined` if it leads nowhere, leads in a circle, or may not be followed. */
export function statIfThere(path: string): Stats | undefined {
  return ifThere(() => statSync(path));
}

/** Returns the state of an entry, without following it if it is a link; `undefined` if there is none. */
export function lstatIfThere(path: string): Stats | undefined {
  return ifThere(() => lstatSync(path));
}

/** `throwIfNoEntry` is not enough: Node throws where a file stands in the place of a directory on the way. */
function ifThere<T>(stat: () => T): T | undefined {
  try {
    return stat();
  } catch {
    return undefined;
  }
}

/** Tells whether a real path is a real directory, or lies below it. */
export function isInside(realDirectory: string, realPath: string): boolean {
  const inside = relative(realDirectory, realPath);
  return inside !== '..' && !inside.startsWith(`..${sep}`) && !inside.startsWith(sep);
}

/**
 * Returns the real path of an open file, which a link that is swapped meanwhile cannot change. Returns `undefined` if `path`
 * leads to another file by now.
 */
export function realPathOf(descriptor: number, path: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // Not Linux, or not allowed: the file found under the real path must be the open one.
    const real = realpathSync(path);
    const found = lstatSync(real);
    const open = fstatSync(descriptor);
    return found.dev === open.dev && found.ino === open.ino ? real : undefined;
  }
}

/** A directory that is held while its files are read. */
export interface HeldDirectory {
  /** The path to open its files with. On Linux it leads to this directory, even if another one takes its name. */
  readonly at: string;
  readonly real: string;
  release(): void;
}

// Linux only. The descriptor only stands for the directory, so it needs no permission to list it.
const O_PATH = 0o10000000;

/** @throws The error of the system if the directory does not exist or may not be entered. */
export function holdDirectory(path: string): HeldDirectory {
  const real = realpathSync(path);
  if (process.platform !== 'linux') return { at: path, real, release() {} };
  let descriptor: number | undefined;
  try {
    descriptor = openSync(real, O_PATH | constants.O_DIRECTORY);
    const held = descriptor;
    const at = `/proc/self/fd/${held}`;
    return { at, real: readlinkSync(at), release: () => closeSync(held) };
  } catch {
    // Without /proc, or without a free descriptor. Reading the files says more.
    if (descriptor !== undefined) closeSync(descriptor);
    return { at: path, real, release() {} };
  }
}
