import { realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import type { Lookup } from '../secret/lookup';
import { mountedFiles } from './mounted-files/mounted-files';
import { ReadMemory, readSecretFile } from './mounted-files/read-file';
import type { Reading, ReadRequest, Source, SourceListener } from './source';

/** A file that a variable such as `DB_PASSWORD_FILE` names. */
export interface VariableFile {
  readonly lookup: Lookup;
  readonly variable: string;
  readonly path: string;
}

const MAX_FILE_BYTES = 1024 * 1024;

/** Anything else may be the secret itself, so that no message shows it. */
const PATH = /^(\/|\.{1,2}\/|[A-Za-z]:[\\/])/;

/**
 * Reads the files that variables name, and follows their rotation. The files of one directory are read together, as from a mount:
 * never two generations of them.
 */
export class VariableFiles {
  readonly #pollIntervalMs: number;
  readonly #mounts = new Map<string, Source>();
  #listener: SourceListener | undefined;
  #stops: (() => unknown)[] = [];

  constructor(pollIntervalMs: number) {
    this.#pollIntervalMs = pollIntervalMs;
  }

  async read(files: readonly VariableFile[], { signal }: ReadRequest): Promise<Map<string, Reading>> {
    const readings = new Map<string, Reading>();
    const byDirectory = new Map<string, VariableFile[]>();
    for (const file of files) {
      if (!PATH.test(file.path)) readings.set(file.lookup.name, noPath(file));
      else {
        const directory = dirname(resolve(file.path));
        byDirectory.set(directory, [...(byDirectory.get(directory) ?? []), file]);
      }
    }
    await Promise.all(
      [...byDirectory].map(async ([directory, together]) => {
        const lookups = together.map(({ lookup, path }) => ({ ...lookup, file: basename(resolve(path)) }));
        try {
          const mount = this.#mountAt(directory);
          const result = await mount.read({ lookups, list: false, since: undefined, signal });
          for (const file of together) {
            readings.set(file.lookup.name, named(file, result.readings.get(file.lookup.name)));
          }
        } catch (error) {
          if (signal.aborted) throw error;
          for (const file of together) readings.set(file.lookup.name, unreadable(file, error));
        }
      }),
    );
    return readings;
  }

  /** Reads one file at once, for a name that nothing requested. */
  readNow(file: VariableFile): Reading {
    if (!PATH.test(file.path)) return noPath(file);
    const path = resolve(file.path);
    const root = dirname(path);
    const { name } = file.lookup;
    try {
      const view = { root, realRoot: realpathSync(root), base: root, maxFileBytes: MAX_FILE_BYTES };
      return named(file, readSecretFile(view, new ReadMemory(), name, basename(path)));
    } catch (error) {
      return unreadable(file, error);
    }
  }

  watch(listener: SourceListener): () => Promise<void> {
    this.#listener = listener;
    for (const mount of this.#mounts.values()) this.#follow(mount);
    return async () => {
      this.#listener = undefined;
      const stops = this.#stops;
      this.#stops = [];
      await Promise.all(stops.map((stop) => stop()));
    };
  }

  #mountAt(directory: string): Source {
    const known = this.#mounts.get(directory);
    if (known !== undefined) return known;
    const mount = mountedFiles(directory, { pollIntervalMs: this.#pollIntervalMs });
    this.#mounts.set(directory, mount);
    this.#follow(mount);
    return mount;
  }

  #follow(mount: Source): void {
    const stop = this.#listener === undefined ? undefined : mount.watch?.(this.#listener);
    if (stop !== undefined) this.#stops.push(stop);
  }
}

/** Adds the variable to a reading. A file that is not there is a failure: the variable says that it must be. */
function named(file: VariableFile, reading: Reading | undefined): Reading {
  const { variable, path } = file;
  if (reading?.status === 'found') return { ...reading, origin: `${variable} (${path})` };
  if (reading?.status === 'failed') return unreadable(file, reading.error);
  return failed(file, `the file ${path} does not exist`, 'Create it, or correct the variable.');
}

function unreadable(file: VariableFile, error: unknown): Reading {
  if (!isSecretsError(error)) return failed(file, `reading ${file.path} failed with ${describeError(error)}`);
  return failed(file, error.what, error.next, error.code);
}

function noPath(file: VariableFile): Reading {
  const next = `Write the path of the file into it, or the secret itself into ${file.variable.replace(/_FILE$/, '')}.`;
  return failed(file, 'a variable holds no path that begins with "/" or "./"', next);
}

function failed(
  { lookup, variable }: VariableFile,
  what: string,
  next?: string,
  code: SecretsError['code'] = 'FILE_UNREADABLE',
): Reading {
  const facts = { secret: lookup.name, source: 'environment', next };
  return { status: 'failed', error: new SecretsError(code, `${what} (named by ${variable})`, facts) };
}
