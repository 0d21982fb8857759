import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';

const entry = {
  index: 'src/index.ts',
  pg: 'src/adapters/pg/index.ts',
  tls: 'src/adapters/tls/index.ts',
  https: 'src/adapters/https/index.ts',
  undici: 'src/adapters/undici/index.ts',
  'key-vault': 'src/sources/key-vault/index.ts',
  http: 'src/http/index.ts',
  opentelemetry: 'src/opentelemetry/index.ts',
  express: 'src/frameworks/express.ts',
  fastify: 'src/frameworks/fastify.ts',
  koa: 'src/frameworks/koa.ts',
  hono: 'src/frameworks/hono.ts',
  nestjs: 'src/frameworks/nestjs/index.ts',
  // No entry of users: the file that Node takes for `#nestjs-common`. package.json has the conditions.
  'nestjs-common': 'src/frameworks/nestjs/common.ts',
  testing: 'src/testing/index.ts',
  doctor: 'src/doctor/index.ts',
};
/** The command `hot-secrets`, which nobody imports: it has one format and no types. */
const command = { cli: 'src/cli/bin.ts' };
/** What is imported with `import()`. Left out of here, it would cut the main entry into more files. */
const loadedLater = [
  'src/sources/key-vault/key-vault.ts',
  'src/definitions/tls/read-material.ts',
  'src/redact/redactor.ts',
];

/**
 * Puts everything that the main entry consists of into one file, where esbuild would make one for each set of entries that
 * share a module: a dozen files, each of which takes about a millisecond to load.
 */
const oneMainFile: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'one-main-file',
  setup(build) {
    const main = resolve(entry.index);
    const others = new Set(
      [...Object.values({ ...entry, ...command }), ...loadedLater].map((file) => resolve(file)),
    );
    others.delete(main);
    build.onLoad({ filter: /\.ts$/ }, ({ path }) =>
      others.has(path) ? { contents: withImport(main, readFileSync(path, 'utf8')), loader: 'ts' } : undefined,
    );
  },
};

/** A `#!` line must stay the first. */
function withImport(file: string, code: string): string {
  const start = code.startsWith('#!') ? code.indexOf('\n') + 1 : 0;
  return `${code.slice(0, start)}import ${JSON.stringify(file)};\n${code.slice(start)}`;
}

/** `import()` of an own file becomes `require` in CJS: Jest, among others, does not support `import()` by default. */
const requireOwnFiles: NonNullable<Options['plugins']>[number] = {
  name: 'require-own-files',
  renderChunk: (code) => ({
    code: code.replace(/\bimport\((["']\.\/[\w-]+\.js["'])\)/g, 'Promise.resolve().then(() => require($1))'),
  }),
};

/** The package.json of `dist/cjs`. It hides that of the root, so it repeats the imports, relative to its own folder. */
function cjsPackage(): object {
  const { imports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    imports: Record<string, Record<string, string>>;
  };
  const { import: _, ...conditions } = imports['#nestjs-common'] as Record<string, string>;
  const require = './nestjs-common.js';
  return { type: 'commonjs', sideEffects: false, imports: { '#nestjs-common': { ...conditions, require } } };
}

const common: Options = {
  entry,
  external: ['#nestjs-common'],
  target: 'node20',
  platform: 'node',
  // One copy of shared code per format: without it every CJS entry gets its own classes.
  splitting: true,
  // The built code is readable as it is, and its stack traces too. Maps would be two thirds of the package.
  sourcemap: false,
  treeshake: true,
  esbuildPlugins: [oneMainFile],
};

export default defineConfig(async () => {
  await rm('dist', { recursive: true, force: true });
  return [
    {
      ...common,
      entry: { ...entry, ...command },
      format: 'esm',
      dts: { entry },
      esbuildOptions(options) {
        // For `oneMainFile`, whose imports would count as unused, since package.json says that modules have no side effects.
        options.ignoreAnnotations = true;
      },
    },
    {
      ...common,
      format: 'cjs',
      outDir: 'dist/cjs',
      outExtension: () => ({ js: '.js' }),
      plugins: [requireOwnFiles],
      esbuildOptions(options) {
        options.ignoreAnnotations = true;
        // CJS has no import.meta. createRequire, its only use, takes a path too; tsup's shim breaks on "#" and "%" in it.
        options.define = { ...options.define, 'import.meta.url': '__filename' };
      },
      onSuccess: () => writeFile('dist/cjs/package.json', `${JSON.stringify(cjsPackage())}\n`),
    },
  ];
});
