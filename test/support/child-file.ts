import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildSync } from 'esbuild';

// Inside the repository, where the packages that a child imports are found.
const FOLDER = join(import.meta.dirname, '../../.tmp/children');
const known = new Map<string, string>();

/**
 * Bundles a TypeScript file with the sources that it imports, and returns the path of the bundle. Node starts it with a fifth
 * of the processor time that it needs with tsx.
 */
export function childFile(path: string): string {
  const built = known.get(path) ?? bundle(path);
  known.set(path, built);
  return built;
}

function bundle(path: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [path],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    write: false,
  });
  mkdirSync(FOLDER, { recursive: true });
  const target = join(FOLDER, `${basename(path, '.ts')}.mjs`);
  // Another test process may read or write the same bundle.
  const own = `${target}.${process.pid}`;
  writeFileSync(own, outputFiles[0]?.contents ?? '');
  renameSync(own, target);
  return target;
}
