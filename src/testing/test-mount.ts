import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { SecretsError } from '../errors';
import { errorCode } from '../internal/describe-error';
import { lookup } from '../secret/lookup';

/** `kubernetes`: links onto a directory that is swapped as a whole. `plain`: ordinary files. */
export type TestMountLayout = 'kubernetes' | 'plain';

/** Values by alias; `db/primary/password` makes directories. */
export type TestMountContent = Readonly<Record<string, string | Uint8Array>>;

/** Options of `createTestMount`. */
export interface TestMountOptions {
  /** Default: `kubernetes`. */
  readonly layout?: TestMountLayout;
  /** The mount directory. Default: a fresh one below the system's temporary directory. */
  readonly path?: string;
  /** Permissions of every file. Default: `0o644`. */
  readonly mode?: number;
}

/** Options of `TestMount.rotate`. */
export interface TestMountRotateOptions {
  /** Plain layout only: replace each file by a rename, as editors do. Default: truncate and write in place. */
  readonly rename?: boolean;
}

/** A secrets mount that is written exactly as the Secrets Store CSI driver writes it. */
export interface TestMount {
  /** The mount directory. */
  readonly path: string;
  readonly layout: TestMountLayout;
  /**
   * Merges values into the content, as one update. As with the driver, content that is already there touches nothing
   * in the Kubernetes layout.
   *
   * @throws `NAME_INVALID`, `FILE_OUTSIDE_MOUNT`, `OPTION_INVALID` before anything is written.
   */
  rotate(values: TestMountContent, options?: TestMountRotateOptions): Promise<void>;
  /** Replaces the whole content, as one update. */
  replace(content: TestMountContent): Promise<void>;
  /** Removes secrets, as one update. */
  remove(...names: string[]): Promise<void>;
  /** Deletes the mount directory. The content is kept, updates change it, and `recreate` writes it again. */
  destroy(): Promise<void>;
  /** Makes the mount directory again after `destroy`. */
  recreate(): Promise<void>;
  /** Changes the layout in place, as an upgrade of the driver does (and its way back). */
  convert(layout: TestMountLayout): Promise<void>;
  /** Deletes everything that this mount made. May be called again. */
  cleanup(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Creates a secrets mount for tests.
 *
 * @example
 * ```ts
 * await using mount = await createTestMount({ 'database-password': 'a' });
 * await using secrets = await SecretStore.open({ sources: [mountedFiles(mount.path)] });
 * await mount.rotate({ 'database-password': 'b' });
 * ```
 * @throws `NAME_INVALID`, `FILE_OUTSIDE_MOUNT`, `OPTION_INVALID`
 */
export async function createTestMount(
  content: TestMountContent,
  options: TestMountOptions = {},
): Promise<TestMount> {
  return new WrittenMount(merged(new Map(), content), options);
}

type Files = ReadonlyMap<string, Buffer>;

const DATA = '..data';
const DATA_TMP = '..data_tmp';
// The driver asks for these permissions whatever the umask is.
const DIRECTORY_MODE = 0o755;

class WrittenMount implements TestMount {
  readonly path: string;
  readonly #mode: number;
  /** The outermost directory that did not exist before. */
  readonly #made: string | undefined;
  #layout: TestMountLayout;
  #files: Files;
  #exists = true;

  constructor(files: Files, { layout = 'kubernetes', path, mode = 0o644 }: TestMountOptions) {
    this.path =
      path === undefined ? join(mkdtempSync(join(tmpdir(), 'hot-secrets-')), 'mount') : resolve(path);
    this.#mode = mode;
    this.#layout = layout;
    this.#files = files;
    const made = mkdirSync(this.path, { recursive: true });
    this.#made = path === undefined ? dirname(this.path) : made;
    this.#writeAll();
  }

  get layout(): TestMountLayout {
    return this.#layout;
  }

  async rotate(values: TestMountContent, { rename = false }: TestMountRotateOptions = {}): Promise<void> {
    this.#update(merged(this.#files, values), Object.keys(values), rename);
  }

  async replace(content: TestMountContent): Promise<void> {
    this.#update(merged(new Map(), content), Object.keys(content));
  }

  async remove(...names: string[]): Promise<void> {
    this.#update(new Map([...this.#files].filter(([name]) => !names.includes(name))), []);
  }

  async destroy(): Promise<void> {
    rmSync(this.path, { recursive: true, force: true });
    this.#exists = false;
  }

  async recreate(): Promise<void> {
    if (this.#exists) return;
    mkdirSync(this.path, { recursive: true });
    this.#exists = true;
    this.#writeAll();
  }

  async convert(layout: TestMountLayout): Promise<void> {
    if (layout === this.#layout) return;
    this.#layout = layout;
    if (!this.#exists) return;
    if (layout === 'kubernetes') {
      // The driver clears away what an older one wrote, then writes as always.
      for (const entry of topLevel(this.#files))
        rmSync(join(this.path, entry), { recursive: true, force: true });
      this.#swap(this.#files, new Map());
      return;
    }
    const old = readlinkSync(join(this.path, DATA));
    for (const entry of topLevel(this.#files)) unlinkSync(join(this.path, entry));
    for (const [name, value] of this.#files) this.#writePlain(name, value, false);
    unlinkSync(join(this.path, DATA));
    rmSync(join(this.path, old), { recursive: true });
  }

  async cleanup(): Promise<void> {
    if (this.#made === undefined) {
      if (this.#exists)
        for (const entry of this.#ownEntries()) rmSync(entry, { recursive: true, force: true });
    } else {
      rmSync(this.path, { recursive: true, force: true });
      for (let at = this.path; at !== this.#made; at = dirname(at)) removeEmpty(dirname(at));
    }
    this.#exists = false;
    this.#files = new Map();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cleanup();
  }

  #writeAll(): void {
    if (this.#layout === 'kubernetes') this.#swap(this.#files, new Map());
    else for (const [name, value] of this.#files) this.#writePlain(name, value, false);
  }

  #update(next: Files, written: readonly string[], rename = false): void {
    const previous = this.#files;
    this.#files = next;
    if (!this.#exists) return;
    if (this.#layout === 'kubernetes') {
      if (!sameFiles(previous, next)) this.#swap(next, previous);
      return;
    }
    for (const name of written) this.#writePlain(name, next.get(name) as Buffer, rename);
    for (const name of previous.keys()) {
      if (!next.has(name)) this.#removePlain(name);
    }
  }

  /** The order of these calls is the driver's own: what watchers and readers see in between is the point. */
  #swap(next: Files, previous: Files): void {
    const old = linkTarget(join(this.path, DATA));
    const fresh = timestampName();
    mkdirSync(join(this.path, fresh), { mode: 0o700 });
    chmodSync(join(this.path, fresh), DIRECTORY_MODE);
    for (const [name, value] of next) this.#writeFile(join(this.path, fresh, name), value);
    const wanted = topLevel(next);
    for (const entry of wanted) {
      const link = join(this.path, entry);
      if (linkTarget(link) === undefined) symlinkSync(join(DATA, entry), link);
    }
    symlinkSync(fresh, join(this.path, DATA_TMP));
    renameSync(join(this.path, DATA_TMP), join(this.path, DATA));
    for (const entry of topLevel(previous)) {
      if (!wanted.has(entry)) unlinkSync(join(this.path, entry));
    }
    if (old !== undefined) rmSync(join(this.path, old), { recursive: true, force: true });
  }

  #writePlain(name: string, value: Buffer, rename: boolean): void {
    const path = join(this.path, name);
    if (!rename) {
      this.#writeFile(path, value);
      return;
    }
    const temporary = join(this.path, `..rename_${randomDigits()}`);
    this.#writeFile(temporary, value);
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    renameSync(temporary, path);
  }

  #removePlain(name: string): void {
    unlinkSync(join(this.path, name));
    for (let at = dirname(name); at !== '.'; at = dirname(at)) removeEmpty(join(this.path, at));
  }

  #writeFile(path: string, value: Buffer): void {
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    writeFileSync(path, value, { mode: this.#mode });
    chmodSync(path, this.#mode);
  }

  #ownEntries(): string[] {
    const old = linkTarget(join(this.path, DATA));
    const entries = [...topLevel(this.#files), ...(old === undefined ? [] : [DATA, old])];
    return entries.map((entry) => join(this.path, entry));
  }
}

function merged(files: Files, values: TestMountContent): Files {
  const next = new Map(files);
  for (const [name, value] of Object.entries(values)) {
    lookup(name);
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new SecretsError('OPTION_INVALID', `the value of "${name}" is neither a string nor bytes`);
    }
    next.set(name, Buffer.from(value));
  }
  for (const name of next.keys()) {
    for (let at = dirname(name); at !== '.'; at = dirname(at)) {
      if (!next.has(at)) continue;
      throw new SecretsError('NAME_INVALID', `"${at}" cannot be a file and the directory of "${name}"`, {
        next: 'Rename one of them.',
      });
    }
  }
  return next;
}

function sameFiles(a: Files, b: Files): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name)?.equals(value) === true);
}

function topLevel(files: Files): Set<string> {
  return new Set([...files.keys()].map((name) => name.split('/', 1)[0] as string));
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function removeEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** `..2026_11_23_20_01_21.1853148849`, in UTC. */
function timestampName(): string {
  const time = new Date().toISOString().slice(0, 19).replace(/[-T:]/g, '_');
  return `..${time}.${randomDigits()}`;
}

function randomDigits(): string {
  return String(Math.floor(Math.random() * 2 ** 32));
}
