import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Folders of programs that `PATH` often lacks. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/bin'];

/** Returns the path of an installed program; undefined if there is none. */
export function findProgram(program: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Returns true if all programs of a server are installed. If one is missing, it throws in CI, and says elsewhere how to get
 * it, so that the tests of a file can be skipped: `describe.runIf(hasServer('mariadb-server', 'mariadbd'))`.
 */
export function hasServer(debianPackage: string, ...programs: readonly string[]): boolean {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return true;
  const what = `${missing.join(', ')} is not installed. Run: apt-get install --no-install-recommends ${debianPackage}`;
  if (process.env.CI !== undefined) throw new Error(what);
  console.warn(`Skipped: ${what}`);
  return false;
}
