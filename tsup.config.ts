import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { writeCjs } from './scripts/cjs';
import { mainParts } from './scripts/main-parts';

const entry = {
  index: 'src/index.ts',
  pg: 'src/adapters/pg/index.ts',
  mysql2: 'src/adapters/mysql2/index.ts',
  tls: 'src/adapters/tls/index.ts',
  https: 'src/adapters/https/index.ts',
  undici: 'src/adapters/undici/index.ts',
  redis: 'src/adapters/redis/index.ts',
  ioredis: 'src/adapters/ioredis/index.ts',
  keyring: 'src/adapters/keyring/index.ts',
  grpc: 'src/adapters/grpc/index.ts',
  bearer: 'src/adapters/bearer/index.ts',
  'key-vault': 'src/sources/key-vault/index.ts',
  tokens: 'src/sources/tokens/index.ts',
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
  // The command `hot-secrets`, which nobody imports.
  cli: 'src/cli/bin.ts',
};
const { cli: _cli, 'nestjs-common': _common, ...typed } = entry;
/** What is imported with `import()`. Left out of here, it would cut the main entry into more files. */
const loadedLater = [
  'src/sources/key-vault/key-vault.ts',
  'src/definitions/tls/read-material.ts',
  'src/redact/redactor.ts',
  'src/http/status/page/page.generated.ts',
  'src/testing/key-vault-emulator/start-emulator.ts',
  'src/doctor/run.ts',
  'src/doctor/manifests/check-manifests.ts',
];

/** Cuts the emulator in two for the same reason as the main entry: see `mainParts`. */
const EMULATOR_PART = 'src/testing/key-vault-emulator/tokens.ts';

const absolute = (files: readonly string[]) => files.map((file) => resolve(file));

/**
 * Puts everything that the main entry consists of into few files, where esbuild would make one for each set of entries that
 * share a module: dozens of files, each of which takes about a millisecond to load. Every other entry imports the whole main
 * entry; the last module of a part is built as an entry that imports all parts up to its own.
 */
function fewMainFiles(parts: readonly (readonly string[])[]): NonNullable<Options['esbuildPlugins']>[number] {
  const imports = new Map<string, readonly string[]>();
  const main = absolute([entry.index]);
  for (const file of absolute([...Object.values(entry), ...loadedLater, EMULATOR_PART]))
    imports.set(file, main);
  imports.set(resolve(entry.index), []);
  for (const [index, part] of parts.slice(0, -1).entries()) {
    imports.set(part.at(-1) as string, parts.slice(0, index + 1).flat());
  }
  return {
    name: 'few-main-files',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const files = imports.get(path);
        if (files === undefined) return undefined;
        const others = files.filter((file) => file !== path);
        return { contents: withImports(others, readFileSync(path, 'utf8')), loader: 'ts' };
      });
    },
  };
}

/** A `#!` line must stay the first. */
function withImports(files: readonly string[], code: string): string {
  const start = code.startsWith('#!') ? code.indexOf('\n') + 1 : 0;
  const imports = files.map((file) => `import ${JSON.stringify(file)};\n`).join('');
  return `${code.slice(0, start)}${imports}${code.slice(start)}`;
}

/** The package.json of `dist/cjs`. It hides that of the root, so it repeats the imports, relative to its own folder. */
function cjsPackage(): object {
  const { imports } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    imports: Record<string, Record<string, string>>;
  };
  const { import: _, ...conditions } = imports['#nestjs-common'] as Record<string, string>;
  const require = './nestjs-common.js';
  return { type: 'commonjs', sideEffects: false, imports: { '#nestjs-common': { ...conditions, require } } };
}

/** Columns. Without white space, a file would be a single line, and stack traces would not tell where. */
const LINE_LIMIT = 200;

export default defineConfig(async () => {
  await rm('dist', { recursive: true, force: true });
  const parts = await mainParts(entry.index);
  // The last part is the main entry itself.
  const lasts = parts.slice(0, -1).map((part) => part.at(-1) as string);
  const cuts = Object.fromEntries([...lasts, EMULATOR_PART].map((file, index) => [`part-${index}`, file]));
  return {
    entry: { ...entry, ...cuts },
    format: 'esm',
    dts: { entry: typed },
    external: ['#nestjs-common'],
    // Node takes longer to load this small CommonJS package from ESM than all of this package.
    noExternal: ['eventemitter3'],
    target: 'node20',
    platform: 'node',
    // One copy of shared code: without it every entry gets its own classes.
    splitting: true,
    esbuildPlugins: [fewMainFiles(parts)],
    esbuildOptions(options) {
      // For `fewMainFiles`, whose imports would count as unused, since package.json says that modules have no side effects.
      options.ignoreAnnotations = true;
    },
    // Maps would be two thirds of the package, white space a tenth, names of local variables another tenth.
    sourcemap: false,
    minifySyntax: true,
    minify: 'terser',
    terserOptions: {
      compress: false,
      // Stack traces name the functions and classes of the source.
      module: false,
      toplevel: false,
      mangle: { keep_fnames: true, keep_classnames: true },
      format: { max_line_len: LINE_LIMIT },
    },
    treeshake: true,
    async onSuccess() {
      // The files of the cuts themselves only import the parts.
      await Promise.all(Object.keys(cuts).map((name) => rm(`dist/${name}.js`)));
      writeCjs(['cli.js']);
      await writeFile('dist/cjs/package.json', `${JSON.stringify(cjsPackage())}\n`);
    },
  };
});
