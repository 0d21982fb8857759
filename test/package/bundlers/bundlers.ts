import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from '../support/repository';

/** One way to make one file of a program. */
export interface Bundler {
  /** What the scratch project installs for it. */
  readonly packages: readonly string[];
  /** The file that `main` writes, in `out`. */
  readonly file: 'main.cjs' | 'main.mjs';
  /** Where ncc and webpack need a script of their own; runs in the scratch project. */
  readonly script: (input: string, out: string, external: readonly string[]) => string;
}

const json = (value: unknown) => JSON.stringify(value);

/** What a one-file ES module needs for CommonJS packages inside it, which call `require`. */
export const ESM_BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

function esbuild(format: 'cjs' | 'esm'): Bundler {
  const file = format === 'cjs' ? 'main.cjs' : 'main.mjs';
  return {
    packages: ['esbuild@^0.27'],
    file,
    script: (input, out, external) => `
      import { build } from 'esbuild';
      await build({
        entryPoints: [${json(input)}], outfile: ${json(join(out, file))}, bundle: true, platform: 'node', target: 'node20',
        format: '${format}', external: ${json(external)}, logLevel: 'error',
        ${format === 'esm' ? `banner: { js: ${json(ESM_BANNER)} },` : ''}
      });`,
  };
}

function rollup(format: 'cjs' | 'es'): Bundler {
  const file = format === 'cjs' ? 'main.cjs' : 'main.mjs';
  const plugins = ['node-resolve@^16', 'commonjs@^29', 'json@^6'].map((name) => `@rollup/plugin-${name}`);
  return {
    packages: ['rollup@^4', ...plugins],
    file,
    script: (input, out, external) => `
      import { rollup } from 'rollup';
      import commonjs from '@rollup/plugin-commonjs';
      import json from '@rollup/plugin-json';
      import { nodeResolve } from '@rollup/plugin-node-resolve';
      const bundle = await rollup({
        input: ${json(input)}, external: ${json(external)}, onwarn() {},
        plugins: [nodeResolve({ exportConditions: ['node'], preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true, ignoreTryCatch: true }), json()],
      });
      await bundle.write({
        file: ${json(join(out, file))}, format: '${format}', inlineDynamicImports: true,
        ${format === 'es' ? `banner: ${json(ESM_BANNER)},` : ''}
      });`,
  };
}

const webpack: Bundler = {
  packages: ['webpack@^5'],
  file: 'main.cjs',
  script: (input, out, external) => `
    import webpack from 'webpack';
    const stats = await new Promise((done, failed) => webpack({
      mode: 'production', target: 'node20', entry: ${json(input)}, devtool: false,
      output: { path: ${json(out)}, filename: 'main.cjs' },
      externals: ${json(Object.fromEntries(external.map((name) => [name, `commonjs ${name}`])))},
      plugins: [new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 })],
      ignoreWarnings: [() => true],
    }, (error, result) => (error ? failed(error) : done(result))));
    if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));`,
};

const ncc: Bundler = {
  packages: ['@vercel/ncc@^0.38'],
  file: 'main.cjs',
  script: (input, out, external) => `
    import { writeFileSync, mkdirSync } from 'node:fs';
    import { dirname, join } from 'node:path';
    import ncc from '@vercel/ncc';
    const { code, assets } = await ncc(${json(input)}, { externals: ${json(external)}, quiet: true, esm: false });
    mkdirSync(${json(out)}, { recursive: true });
    writeFileSync(join(${json(out)}, 'main.cjs'), code);
    for (const [name, { source }] of Object.entries(assets)) {
      mkdirSync(dirname(join(${json(out)}, name)), { recursive: true });
      writeFileSync(join(${json(out)}, name), source);
    }`,
};

export const bundlers: Readonly<Record<string, Bundler>> = {
  'esbuild-cjs': esbuild('cjs'),
  'esbuild-esm': esbuild('esm'),
  webpack,
  'rollup-cjs': rollup('cjs'),
  'rollup-esm': rollup('es'),
  ncc,
};

/** Bundles `input` into one file in `out`, and returns its path. */
export async function bundle(
  name: string,
  {
    project,
    input,
    out,
    external,
  }: { project: string; input: string; out: string; external: readonly string[] },
): Promise<string> {
  const { file, script } = bundlers[name] as Bundler;
  const builder = join(project, `build-${name}-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(builder, script(input, out, external));
  await succeed(process.execPath, [builder], { cwd: project });
  return join(out, file);
}
