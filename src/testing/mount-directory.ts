import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from '../internal/describe-error';

/** The content of a mount by alias. */
export type MountContent = ReadonlyMap<string, Buffer>;

const DATA = '..data';
const DATA_TMP = '..data_tmp';
/** The driver sets these permissions with any umask. */
const DIRECTORY_MODE = 0o755;

/** Writes both layouts of a mount directory. It stores no content: the caller passes the current and the next content. */
export class MountDirectory {
  readonly path: string;
  readonly #mode: number;

  constructor(path: string, mode: number) {
    this.path = path;
    this.#mode = mode;
  }

  /** Makes the directory. Returns the outermost directory that did not exist before. */
  create(): string | undefined {
    return mkdirSync(this.path, { recursive: true });
  }

  delete(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Swaps `..data` with the calls of the driver in their order, because watchers and readers see every step. */
  swap(next: MountContent, previous: MountContent): void {
    const old = linkTarget(this.#at(DATA));
    const fresh = timestampName();
    mkdirSync(this.#at(fresh), { mode: 0o700 });
    chmodSync(this.#at(fresh), DIRECTORY_MODE);
    for (const [name, value] of next) this.#writeFile(this.#at(fresh, name), value);
    const wanted = topLevel(next);
    for (const entry of wanted) {
      const link = this.#at(entry);
      if (linkTarget(link) === undefined) symlinkSync(join(DATA, entry), link);
    }
    symlinkSync(fresh, this.#at(DATA_TMP));
    renameSync(this.#at(DATA_TMP), this.#at(DATA));
    for (const entry of topLevel(previous)) {
      if (!wanted.has(entry)) unlinkSync(this.#at(entry));
    }
    if (old !== undefined) rmSync(this.#at(old), { recursive: true, force: true });
  }

  /** Writes an ordinary file in place, or replaces it by a rename. */
  write(name: string, value: Buffer, rename = false): void {
    const path = this.#at(name);
    if (!rename) {
      this.#writeFile(path, value);
      return;
    }
    const temporary = this.#at(`..rename_${randomDigits()}`);
    this.#writeFile(temporary, value);
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    renameSync(temporary, path);
  }

  /** Removes an ordinary file and the directories that it leaves empty. */
  remove(name: string): void {
    unlinkSync(this.#at(name));
    for (let parent = dirname(name); parent !== '.'; parent = dirname(parent))
      removeIfEmpty(this.#at(parent));
  }

  /** Turns ordinary files into the Kubernetes layout. Like the driver, it removes the old files and then writes as always. */
  toKubernetes(content: MountContent): void {
    for (const entry of topLevel(content)) rmSync(this.#at(entry), { recursive: true, force: true });
    this.swap(content, new Map());
  }

  /** Turns the Kubernetes layout into ordinary files. */
  toPlain(content: MountContent): void {
    const old = readlinkSync(this.#at(DATA));
    for (const entry of topLevel(content)) unlinkSync(this.#at(entry));
    for (const [name, value] of content) this.write(name, value);
    unlinkSync(this.#at(DATA));
    rmSync(this.#at(old), { recursive: true });
  }

  /** Removes the content, in either layout, and nothing else. */
  clear(content: MountContent): void {
    const old = linkTarget(this.#at(DATA));
    const entries = [...topLevel(content), ...(old === undefined ? [] : [DATA, old])];
    for (const entry of entries) rmSync(this.#at(entry), { recursive: true, force: true });
  }

  #at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  #writeFile(path: string, value: Buffer): void {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    writeFileSync(path, value, { mode: this.#mode });
    chmodSync(path, this.#mode);
  }
}

export function removeIfEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function topLevel(content: MountContent): Set<string> {
  return new Set([...content.keys()].map((name) => name.split('/', 1)[0] as string));
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A name such as `..2026_11_23_20_01_21.1853148849`, in UTC. */
function timestampName(): string {
  const time = new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_');
  return `..${time}.${randomDigits()}`;
}

function randomDigits(): string {
  return String(Math.floor(Math.random() * 2 ** 32));
}
