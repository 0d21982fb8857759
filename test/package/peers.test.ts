import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PEERS } from '../../src/internal/peer';
import { programs } from './bundlers/programs';
import { fromRepository, succeed } from './support/repository';
import { installedConsumer, packedTarball } from './support/tarball';

const MINUTES = 60_000;

/** What projects may have that do not use these parts of the package. */
const OLDER = {
  '@azure/identity': '^3.4.2',
  '@nestjs/common': '^10.4.0',
  express: '~4.17.3',
  fastify: '^4.28.0',
  '@grpc/grpc-js': '~1.9.0',
  jose: '^4.15.0',
  mysql2: '^2.3.3',
  pg: '~8.10.0',
  undici: '^5.28.0',
  redis: '^4.7.0',
  ioredis: '^4.28.0',
};

let tarball: string;
let consumer: string;

beforeAll(async () => {
  tarball = await packedTarball();
  consumer = await installedConsumer(tarball, []);
}, 8 * MINUTES);

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

/** Runs a script in a folder with the package, as ESM or CJS, and returns what it prints. */
async function printed(body: string, way: 'import' | 'require', cwd = consumer): Promise<string> {
  const file = join(cwd, way === 'import' ? 'script.mjs' : 'script.cjs');
  const load = way === 'import' ? '(name) => import(name)' : 'async (name) => require(name)';
  writeFileSync(
    file,
    `const load = ${load};
    (async () => { ${body} })().catch(({ code, what, next, message }) => console.log([code, what ?? message, next].join(' | ')));`,
  );
  return (await succeed(process.execPath, [file], { cwd })).trim();
}

/** Puts a package without content into the consumer. */
function install(name: string, version: string): void {
  const folder = join(consumer, 'node_modules', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, version, exports: { '.': './index.js' } }),
  );
  writeFileSync(join(folder, 'index.js'), '');
}

const uninstall = (name: string) => rmSync(join(consumer, 'node_modules', name), { recursive: true });

const USES = {
  pg: `const { createPool } = await load('hot-secrets/pg'); createPool(store, () => ({}));`,
  mysql2: `const { createPool } = await load('hot-secrets/mysql2'); createPool(store, () => ({}));`,
  undici: `const { createDispatcher } = await load('hot-secrets/undici'); createDispatcher(store, () => ({}));`,
  redis: `const { createClient } = await load('hot-secrets/redis'); createClient(store, () => ({}));`,
  ioredis: `const { createRedis } = await load('hot-secrets/ioredis'); createRedis(store, () => ({}));`,
  '@grpc/grpc-js': `const { createServerCredentials } = await load('hot-secrets/grpc'); createServerCredentials(store, () => ({}));`,
  jose: `const { bearerToken } = await load('hot-secrets/http');
    bearerToken({ tenantId: '72f988bf-86f1-41af-91ab-2d7cd011db47', audience: 'x' });`,
  '@opentelemetry/api': `const { instrumentSecrets } = await load('hot-secrets/opentelemetry'); instrumentSecrets(store);`,
  '@azure/keyvault-secrets': `const { keyVault } = await load('hot-secrets/key-vault');
    await SecretStore.open({ secrets: { a: 'a' }, sources: [keyVault({ vaultUrl: 'https://x.vault.azure.net' })] });`,
  '@aws-sdk/rds-signer': `const { rdsToken } = await load('hot-secrets/tokens');
    const source = rdsToken('a', { hostname: 'db', port: 5432, username: 'app' });
    await SecretStore.open({ secrets: { a: 'a' }, sources: [source] });`,
  '@nestjs/common': `await load('hot-secrets/nestjs');`,
} as const;

/** The options that take a package, where their names differ. */
const OPTIONS = {
  '@grpc/grpc-js': 'grpc',
  '@opentelemetry/api': 'api',
  '@azure/keyvault-secrets': 'keyvaultSecrets',
  '@aws-sdk/rds-signer': 'rdsSigner',
};

const using = (use: string) => `const { memory, SecretStore } = await load('hot-secrets');
  const store = await SecretStore.open({ sources: [memory({ a: 'value' })] });
  ${use}`;

describe.each(['import', 'require'] as const)('with %s', (way) => {
  it.each(Object.entries(USES))('names the command that installs a missing %s', async (name, use) => {
    const version = PEERS[name as keyof typeof USES];
    const option = OPTIONS[name as keyof typeof OPTIONS] ?? name;
    const elsewhere =
      name === '@nestjs/common' ? '' : `. If you have it elsewhere, pass it as the option \`${option}\`.`;
    expect(await printed(using(use), way)).toBe(
      `PEER_MISSING | the package "${name}" is not installed | Run: npm install "${name}@>=${version}"${elsewhere}`,
    );
  });

  it.each(Object.entries(USES))(
    'names the installed and the needed version of a %s that is too old',
    async (name, use) => {
      const version = PEERS[name as keyof typeof USES];
      install(name, '0.9.3');
      try {
        expect(await printed(using(use), way)).toBe(
          `PEER_UNSUPPORTED | ${name} 0.9.3 is installed, which is too old | Run: npm install "${name}@>=${version}"`,
        );
      } finally {
        uninstall(name);
      }
    },
  );

  it('names what an installed module lacks, whatever its version says', async () => {
    install('pg', '99.0.0');
    try {
      expect(await printed(using(USES.pg), way)).toMatch(
        /^PEER_UNSUPPORTED \| the module pg that is installed lacks Client, Pool \|/,
      );
    } finally {
      uninstall('pg');
    }
  });
});

it('says in a bundle that the package may be passed', async () => {
  // What a bundler makes of it, as far as the loader can see: the code is in a file of the application.
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-moved-'));
  try {
    cpSync(join(consumer, 'node_modules/hot-secrets/dist/cjs'), folder, { recursive: true });
    const use = using(USES.pg)
      .replaceAll("'hot-secrets'", "'./index.js'")
      .replaceAll("'hot-secrets/pg'", "'./pg.js'");
    const said = await printed(use, 'require', folder);
    expect(said).toMatch(
      /^PEER_MISSING \| the package "pg" is neither in this bundle nor installed where the bundle runs \(.+\) \| /,
    );
    expect(said).toContain(
      'Pass it as the option `pg`, or mark it as external and run there: npm install "pg@>=8.11"',
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it(
  'installs into a project that has older copies of its optional packages',
  async () => {
    const project = mkdtempSync(join(tmpdir(), 'hot-secrets-older-'));
    try {
      writeFileSync(
        join(project, 'package.json'),
        JSON.stringify({ name: 'older', private: true, dependencies: OLDER }),
      );
      const options = [
        '--package-lock-only',
        '--ignore-scripts',
        '--prefer-offline',
        '--no-audit',
        '--no-fund',
      ];
      await succeed('npm', ['install', ...options, tarball], { cwd: project });
      const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
        packages: Record<string, { version: string }>;
      };
      expect(lock.packages['node_modules/hot-secrets']).toBeDefined();
      expect(lock.packages['node_modules/jose']?.version).toMatch(/^4\./);
      expect(lock.packages['node_modules/undici']?.version).toMatch(/^5\./);
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  },
  3 * MINUTES,
);

it('refuses no version of an optional package at its installation', () => {
  const { peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(fromRepository('package.json'), 'utf8'),
  ) as {
    peerDependencies: Record<string, string>;
    peerDependenciesMeta: Record<string, { optional: boolean }>;
  };
  expect(new Set(Object.values(peerDependencies))).toEqual(new Set(['*']));
  expect(Object.keys(peerDependenciesMeta)).toEqual(Object.keys(peerDependencies));
  expect(Object.keys(peerDependencies)).toEqual(expect.arrayContaining(Object.keys(PEERS)));
});

it('bundles a program for each entry in test:bundlers', () => {
  const { exports } = JSON.parse(readFileSync(fromRepository('package.json'), 'utf8')) as { exports: object };
  const entries = Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => path.slice(2) || 'index');
  expect(Object.keys(programs).sort()).toEqual(entries.sort());
});
