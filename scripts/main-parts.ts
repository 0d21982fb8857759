import { resolve } from 'node:path';
import { build } from 'esbuild';

/** gzip finds repetitions within 32 kB. The names that stack traces need make a module up to a quarter larger than what is counted here. */
const PART_BYTES = 22_000;

/**
 * Cuts the main entry into parts of less than 32 kB: in the tarball, where the CJS build of a part lies next to its ESM build,
 * the second takes almost nothing. Returns the modules of each part, as absolute paths; a part imports only from itself and from
 * the parts before it.
 */
export async function mainParts(main: string): Promise<string[][]> {
  const { metafile } = await build({
    entryPoints: [main],
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    splitting: true,
    outdir: 'dist',
    write: false,
    minify: true,
    metafile: true,
  });
  const bytes = new Map<string, number>();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [file, { bytesInOutput }] of Object.entries(inputs)) bytes.set(file, bytesInOutput);
  }
  const order: string[] = [];
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) visit(path);
    }
    order.push(file);
  };
  visit(main);
  const parts: string[][] = [[]];
  let size = 0;
  for (const file of order) {
    size += bytes.get(file) ?? 0;
    if (size > PART_BYTES) {
      parts.push([]);
      size = bytes.get(file) ?? 0;
    }
    parts.at(-1)?.push(resolve(file));
  }
  return parts;
}
