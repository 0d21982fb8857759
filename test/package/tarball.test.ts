import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromRepository, run, succeed } from './support/repository';
import { installedConsumer, packedTarball } from './support/tarball';

const MINUTES = 60_000;
const ENTRIES = [
  'index',
  'bearer',
  'cli',
  'doctor',
  'express',
  'fastify',
  'grpc',
  'hono',
  'http',
  'https',
  'ioredis',
  'key-vault',
  'keyring',
  'koa',
  'mysql2',
  'nestjs',
  'opentelemetry',
  'pg',
  'redis',
  'testing',
  'tls',
  'tokens',
  'undici',
];
/** What the types of the framework entries refer to. */
const FRAMEWORKS = [
  'express@^5',
  '@types/express@^5',
  'fastify@^5',
  'koa@^3',
  '@types/koa@^3',
  'hono@^4',
  '@nestjs/common@^12',
  'rxjs@^7',
  'reflect-metadata@^0.2',
  '@opentelemetry/api@^1',
];

let tarball: string;
let consumer: string;

beforeAll(async () => {
  tarball = await packedTarball();
  const peers = [
    'pg@^8',
    '@types/pg@^8',
    '@types/node@^20',
    'undici@^7',
    'mysql2@^3',
    'redis@^6',
    'ioredis@^6',
    '@grpc/grpc-js@^1.14',
    ...FRAMEWORKS,
  ];
  consumer = await installedConsumer(tarball, peers);
}, 5 * MINUTES);

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

const inConsumer = (...args: string[]) => succeed(process.execPath, args, { cwd: consumer });

/** The types of the package are checked too. */
const strict = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  types: ['node'],
};

const RESOLUTIONS = [
  ['ESM with nodenext', 'mts', { module: 'nodenext', moduleResolution: 'nodenext' }],
  ['CJS with nodenext', 'cts', { module: 'nodenext', moduleResolution: 'nodenext' }],
  ['bundler', 'ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ['CJS with node10', 'ts', { module: 'commonjs', moduleResolution: 'node10' }],
] as const;

/** Compiles files of the consumer, whose names get another extension, as one program. Returns the errors. */
async function check(
  folder: string,
  stems: readonly string[],
  extension: string,
  options: object,
): Promise<string[]> {
  const files = stems.map((stem) => `${stem}.${extension}`);
  for (const [index, file] of files.entries()) {
    if (extension !== 'ts') cpSync(join(folder, `${stems[index]}.ts`), join(folder, file));
  }
  const config = join(folder, `tsconfig.${files.join('.')}.${Object.values(options).join('-')}.json`);
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }));
  const tsc = fromRepository('node_modules/typescript/bin/tsc');
  const { status, stdout } = await run(process.execPath, [tsc, '--pretty', 'false', '-p', config], {
    cwd: folder,
  });
  const errors = stdout.split('\n').filter((line) => /^(\S+\(\d+,\d+\): )?error/.test(line));
  if (status !== 0 && errors.length === 0) throw new Error(stdout);
  // The types of other packages do not always fit each other; those are not ours to fix.
  return errors.filter((line) => !/^node_modules\/(?!hot-secrets\/)/.test(line));
}

describe('the tarball', () => {
  it('publishes the build and the main documents, and nothing else', async () => {
    const listed = (await succeed('tar', ['-tzf', tarball])).trim().split('\n');
    const files = listed.map((file) => file.replace(/^package\//, ''));
    const expected = [
      new RegExp(`^dist/(cjs/)?(${ENTRIES.join('|')}|[\\w.-]+-[\\w-]{6,})(\\.js|\\.d\\.ts)$`),
      /^dist\/cjs\/package\.json$/,
      /^(CHANGELOG|README|SECURITY|SKILL)\.md$/,
      /^(LICENSE|llms\.txt|package\.json)$/,
    ];
    expect(files.filter((file) => !expected.some((pattern) => pattern.test(file)))).toEqual([]);
    for (const file of ['README.md', 'SECURITY.md', 'CHANGELOG.md', 'LICENSE', 'SKILL.md', 'llms.txt']) {
      expect(files).toContain(file);
    }
  });

  it('contains the built files of every entry', () => {
    const { exports } = JSON.parse(installed('package.json')) as { exports: Record<string, unknown> };
    const targets = JSON.stringify(exports).match(/\.\/dist\/[\w./-]+/g) ?? [];
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) expect(installed(target).length).toBeGreaterThan(0);
  });

  it('takes at most 333 kB packed and 1.62 MB unpacked', async () => {
    expect(statSync(tarball).size).toBeLessThanOrEqual(333_000);
    const sizes = (await succeed('tar', ['-tvzf', tarball])).trim().split('\n');
    const unpacked = sizes.reduce((sum, line) => sum + Number(/\s(\d+)\s+\d{4}-/.exec(line)?.[1]), 0);
    expect(unpacked).toBeGreaterThan(500_000);
    expect(unpacked).toBeLessThanOrEqual(1_620_000);
  });

  it('contains names as in the sources, in lines of a bounded length, for stack traces', () => {
    for (const folder of ['dist', 'dist/cjs']) {
      const { code } = mainFiles(folder);
      expect(code).toMatch(/class \w*LiveStore\b|LiveStore ?= ?class/);
      expect(code.length / code.split('\n').length).toBeLessThan(500);
    }
  });

  it('loads few files behind the main entry, and the code of certificates, redaction and Key Vault later', () => {
    for (const folder of ['dist', 'dist/cjs']) {
      const { code, files } = mainFiles(folder);
      expect(files.length).toBeLessThanOrEqual(7);
      // In the tarball, a larger file would not compress together with its twin in `dist/cjs`.
      for (const file of files) expect(installed(`${folder}/${file}`).length).toBeLessThan(32_000);
      const imported = code.match(/["']\.\/[\w-]+(?=-\w{8}\.js["'])/g)?.map((file) => file.slice(3));
      expect([...new Set(imported)].sort()).toEqual(['chunk', 'key-vault', 'read-material', 'redactor']);
      expect(code).not.toMatch(/(from|require\()\s*["'](node:)?(crypto|tls|net|https?|worker_threads)["']/);
    }
  });

  it('loads its own files with require in CJS, because some test runners do not support import()', () => {
    expect(mainFiles('dist/cjs').code).not.toMatch(/import\(["']\./);
  });

  it('declares no workspaces, which are for the tests', () => {
    expect(JSON.parse(installed('package.json'))).not.toHaveProperty('workspaces');
  });

  it('passes publint', async () => {
    const bytes = readFileSync(tarball);
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball: buffer as ArrayBuffer }, strict: true });
    // publint says that Node ignores the imports of dist/cjs/package.json. It does not: they belong to the nearest package.json.
    const problems = messages.filter(
      ({ code, args }) =>
        code !== 'NESTED_PACKAGE_JSON_FIELD_IGNORED' ||
        args.field !== 'imports' ||
        args.filePath !== './dist/cjs/package.json',
    );
    expect(problems.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('passes "Are the types wrong?" for every module resolution', async () => {
    const attw = fromRepository('node_modules/@arethetypeswrong/cli/dist/index.js');
    const { status, stdout } = await run(process.execPath, [attw, tarball, '--format', 'json', '--no-color']);
    const { problems } = JSON.parse(stdout) as { problems?: unknown };
    expect(problems ?? {}).toEqual({});
    expect(status).toBe(0);
  });
});

describe('the installed package', () => {
  it('opens, rotates and closes stores and clients from ESM', async () => {
    expect(await inConsumer('consumer.mjs')).toBe('ok\n');
  });

  it('opens, rotates and closes stores and clients from CJS', async () => {
    expect(await inConsumer('consumer.cjs')).toBe('ok\n');
  });

  it('recognizes in its ESM copy what its CJS copy made, and the other way round', async () => {
    expect(await inConsumer('both-copies.mjs')).toBe('ok\n');
  });

  it('runs the command that it installs', async () => {
    const command = join(consumer, 'node_modules/.bin/hot-secrets');
    expect(await inConsumer(command, 'help')).toContain('Usage: hot-secrets <command>');
    const { status, stdout } = await run(process.execPath, [command, 'doctor', '--mount', '/no/such/mount']);
    expect([status, stdout]).toEqual([2, expect.stringContaining('error MOUNT_MISSING')]);
  });

  it('needs no flag of the permission model for secrets of the environment, and names the flag that a mount needs', async () => {
    expect(await inConsumer('permission.mjs')).toBe('ok\n');
  });

  it.each(RESOLUTIONS)(
    'compiles every entry in a strict consumer: %s',
    { timeout: 3 * MINUTES },
    async (_title, extension, options) => {
      expect(await check(consumer, ['types', 'types-entries'], extension, options)).toEqual([]);
    },
  );

  it.each(['node16', 'bundler'])(
    'emits declarations for a library that exports stores and pools, with %s',
    async (moduleResolution) => {
      const config = join(consumer, `tsconfig.emit.${moduleResolution}.json`);
      const compilerOptions = {
        ...strict,
        module: moduleResolution === 'bundler' ? 'esnext' : moduleResolution,
        moduleResolution,
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        exactOptionalPropertyTypes: true,
        outDir: `emitted-${moduleResolution}`,
      };
      writeFileSync(config, JSON.stringify({ compilerOptions, files: ['types-emit.mts'] }));
      await inConsumer(fromRepository('node_modules/typescript/bin/tsc'), '-p', config);
    },
  );

  // A registered store applies to a whole program, so this needs a separate one.
  it('gives the requests of frameworks the types of the registered store', {
    timeout: 3 * MINUTES,
  }, async () => {
    const options = { module: 'node16', moduleResolution: 'node16' };
    expect(await check(consumer, ['types-frameworks'], 'mts', options)).toEqual([]);
  });
});

describe('the packages that a process loads', () => {
  const own = ['hot-secrets'];

  it.each(['import', 'require'])(
    'loads no peer with %s, and chokidar only for a plain directory',
    async (way) => {
      const printed = await inConsumer('loaded.mjs', way);
      expect(JSON.parse(printed)).toEqual({
        imported: own,
        onKubernetes: own,
        onPlain: expect.arrayContaining(['chokidar', ...own]),
      });
    },
  );
});

describe('a missing peer', () => {
  let bare: string;
  beforeAll(async () => {
    bare = await installedConsumer(tarball, ['@types/node@^20']);
  }, 2 * MINUTES);
  afterAll(() => rmSync(bare, { recursive: true, force: true }));

  it.each([
    [
      'import',
      `import { createPool } from 'hot-secrets/pg'; import { memory, SecretStore } from 'hot-secrets';`,
    ],
    [
      'require',
      `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);
       const { createPool } = require('hot-secrets/pg'); const { memory, SecretStore } = require('hot-secrets');`,
    ],
  ])('says which package to install when a peer is missing (%s)', async (_way, head) => {
    const script = `${head}
      const store = await SecretStore.open({ sources: [memory({ a: 'value' })] });
      try { createPool(store, () => ({})); } catch (error) { console.log(error.code, error.next); }
      await store.close();`;
    const printed = await succeed(process.execPath, ['--input-type=module', '--eval', script], { cwd: bare });
    expect(printed.trim()).toMatch(/^PEER_MISSING Run: npm install "pg@>=8.11". If you/);
  });

  it.each(RESOLUTIONS)(
    'gives no export the type `any` without the types of the peers: %s',
    { timeout: 3 * MINUTES },
    async (_title, extension, options) => {
      const lenient = { ...options, skipLibCheck: true };
      expect(await check(bare, ['types-bare'], extension, lenient)).toEqual([]);
    },
  );
});

/** The files that the main entry imports, and the code of the first. */
function mainFiles(folder: string): { files: string[]; code: string } {
  const entry = installed(`${folder}/index.js`);
  const imports = entry.matchAll(/(?:from|import|require\()\s*['"]\.\/([\w-]+\.js)['"]/g);
  const files = [...new Set(Array.from(imports, ([, file]) => file as string))];
  return { files, code: files.map((file) => installed(`${folder}/${file}`)).join('\n') };
}

function installed(file: string): string {
  return readFileSync(join(consumer, 'node_modules/hot-secrets', file), 'utf8');
}
