import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isUint8Array } from 'node:util/types';
import { SecretsError } from '../errors';
import { flag, kindOf, type Option, oneOf, readOptions, text } from '../internal/options';
import { lookup } from '../secret/lookup';
import { type MountContent, MountDirectory, removeIfEmpty } from './mount-directory';

/** `kubernetes`: links into a directory that is swapped as a whole. `plain`: ordinary files. */
export type TestMountLayout = 'kubernetes' | 'plain';

/** Values by alias; `db/primary/password` makes directories. */
export type TestMountContent = Readonly<Record<string, string | Uint8Array>>;

/** Options of `createTestMount`. */
export interface TestMountOptions {
  /** How the files lie: behind `..data`, or in a plain directory. Default: `kubernetes`. */
  readonly layout?: TestMountLayout | undefined;
  /** The mount directory. Default: a new one in the system's temporary directory. */
  readonly path?: string | undefined;
  /** The permissions of every file. Default: `0o644`. */
  readonly mode?: number | undefined;
}

/** Options of `TestMount.rotate`. */
export interface TestMountRotateOptions {
  /** Plain layout only: replaces each file by a rename, as editors do. Default: truncates it and writes in place. */
  readonly rename?: boolean | undefined;
}

/** A secrets mount that is written exactly as the Secrets Store CSI driver writes it. */
export interface TestMount {
  /** The mount directory. */
  readonly path: string;
  readonly layout: TestMountLayout;
  /**
   * Merges values into the content, as one update. In the Kubernetes layout, values that are already there touch nothing,
   * as with the driver.
   *
   * @throws `NAME_INVALID`, `FILE_OUTSIDE_MOUNT`, `OPTION_INVALID`, `OPTION_UNKNOWN` before anything is written.
   */
  rotate(values: TestMountContent, options?: TestMountRotateOptions): Promise<void>;
  /** Replaces the whole content, as one update. */
  replace(content: TestMountContent): Promise<void>;
  /** Removes secrets, as one update. */
  remove(...names: string[]): Promise<void>;
  /** Deletes the mount directory but keeps the content: updates change it, and `recreate` writes it again. */
  destroy(): Promise<void>;
  /** Makes the mount directory again after `destroy`. */
  recreate(): Promise<void>;
  /** Changes the layout in place, as an upgrade or a downgrade of the driver does. */
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
 * @throws `NAME_INVALID`, `FILE_OUTSIDE_MOUNT`, `OPTION_INVALID`, `OPTION_UNKNOWN`
 */
export async function createTestMount(
  content: TestMountContent,
  options?: TestMountOptions,
): Promise<TestMount> {
  const { layout, path, mode } = readOptions('createTestMount', options, {
    layout: oneOf<TestMountLayout>('kubernetes', 'plain'),
    path: text(),
    mode: permissions,
  });
  return new WrittenMount(merge(new Map(), content), layout, path, mode);
}

const permissions: Option<number> = (given = 0o644, reject) => {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= 0o777) return given;
  return reject('permissions from 0 to 0o777');
};

class WrittenMount implements TestMount {
  readonly #directory: MountDirectory;
  /** The outermost directory that this mount made. */
  readonly #made: string | undefined;
  #layout: TestMountLayout;
  #content: MountContent;
  #exists = true;

  constructor(content: MountContent, layout: TestMountLayout, path: string | undefined, mode: number) {
    const directory =
      path === undefined ? join(mkdtempSync(join(tmpdir(), 'hot-secrets-')), 'mount') : resolve(path);
    this.#directory = new MountDirectory(directory, mode);
    this.#layout = layout;
    this.#content = content;
    const made = this.#directory.create();
    this.#made = path === undefined ? dirname(directory) : made;
    this.#writeAll();
  }

  get path(): string {
    return this.#directory.path;
  }

  get layout(): TestMountLayout {
    return this.#layout;
  }

  async rotate(values: TestMountContent, options?: TestMountRotateOptions): Promise<void> {
    const { rename } = readOptions('rotate()', options, { rename: flag(false) });
    this.#update(merge(this.#content, values), Object.keys(values), rename);
  }

  async replace(content: TestMountContent): Promise<void> {
    this.#update(merge(new Map(), content), Object.keys(content));
  }

  async remove(...names: string[]): Promise<void> {
    this.#update(new Map([...this.#content].filter(([name]) => !names.includes(name))), []);
  }

  async destroy(): Promise<void> {
    this.#directory.delete();
    this.#exists = false;
  }

  async recreate(): Promise<void> {
    if (this.#exists) return;
    this.#directory.create();
    this.#exists = true;
    this.#writeAll();
  }

  async convert(layout: TestMountLayout): Promise<void> {
    if (layout === this.#layout) return;
    this.#layout = layout;
    if (!this.#exists) return;
    if (layout === 'kubernetes') this.#directory.toKubernetes(this.#content);
    else this.#directory.toPlain(this.#content);
  }

  async cleanup(): Promise<void> {
    if (this.#made === undefined) {
      if (this.#exists) this.#directory.clear(this.#content);
    } else {
      this.#directory.delete();
      for (let at = this.path; at !== this.#made; at = dirname(at)) removeIfEmpty(dirname(at));
    }
    this.#exists = false;
    this.#content = new Map();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cleanup();
  }

  #writeAll(): void {
    if (this.#layout === 'kubernetes') this.#directory.swap(this.#content, new Map());
    else for (const [name, value] of this.#content) this.#directory.write(name, value);
  }

  #update(next: MountContent, written: readonly string[], rename = false): void {
    const previous = this.#content;
    this.#content = next;
    if (!this.#exists) return;
    if (this.#layout === 'kubernetes') {
      if (!isSame(previous, next)) this.#directory.swap(next, previous);
      return;
    }
    for (const name of written) this.#directory.write(name, next.get(name) as Buffer, rename);
    for (const name of previous.keys()) {
      if (!next.has(name)) this.#directory.remove(name);
    }
  }
}

function merge(content: MountContent, values: TestMountContent): MountContent {
  if (typeof values !== 'object' || values === null) {
    const what = `the content of a test mount must be an object, not ${kindOf(values)}`;
    throw new SecretsError('OPTION_INVALID', what, { next: "Pass names and values: { 'api-key': 'a' }." });
  }
  const next = new Map(content);
  for (const [name, value] of Object.entries(values)) {
    lookup(name);
    if (typeof value !== 'string' && !isUint8Array(value)) {
      const what = `the value of "${name}" must be a string or a Uint8Array, not ${kindOf(value)}`;
      throw new SecretsError('OPTION_INVALID', what, { next: 'Fix the value named here.' });
    }
    next.set(name, Buffer.from(value));
  }
  for (const name of next.keys()) assertNoFileAbove(name, next);
  return next;
}

function assertNoFileAbove(name: string, content: MountContent): void {
  for (let parent = dirname(name); parent !== '.'; parent = dirname(parent)) {
    if (!content.has(parent)) continue;
    throw new SecretsError('NAME_INVALID', `"${parent}" cannot be a file and the directory of "${name}"`, {
      next: 'Rename one of them.',
    });
  }
}

function isSame(a: MountContent, b: MountContent): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name)?.equals(value) === true);
}
