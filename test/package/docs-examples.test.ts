import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { fromRepository, run } from './support/repository';

/** Imports and objects that the examples leave out because the page has introduced them. */
const PREAMBLE: readonly (readonly [name: string, declaration: string])[] = [
  ['createPool', `import { createPool } from 'hot-secrets/pg';`],
  ['createTestMount', `import { createTestMount } from 'hot-secrets/testing';`],
  ...[
    'SecretStore',
    'environment',
    'isSecret',
    'isSecretsError',
    'memory',
    'mountedFiles',
    'rotating',
    'secret',
  ].map((name) => [name, `import { ${name} } from 'hot-secrets';`] as const),
  ['pg', `import pg from 'pg';`],
  ['tls', `import * as tls from 'node:tls';`],
  ['https', `import * as https from 'node:https';`],
  ['z', `import * as z from 'zod';`],
  [
    'secrets',
    `declare const secrets: import('hot-secrets').SecretStore<{
      readonly dbUser: string; readonly dbPassword: string; readonly natsUser: string; readonly natsPass: string;
      readonly apiKey: string; readonly signingKey: Uint8Array; readonly beta: string | undefined;
      readonly web: import('hot-secrets').TlsMaterial; readonly client: import('hot-secrets').TlsMaterial;
      readonly ca: import('hot-secrets').TlsTrust;
    }>;`,
  ],
  ['pool', `declare const pool: import('hot-secrets/pg').HotPool;`],
  [
    'log',
    `declare const log: Record<'info' | 'warn' | 'error', (facts: object | string, message?: string) => void>;`,
  ],
];

const folder = fromRepository('.tmp/docs-examples');
const pages = ['README.md', ...readdirSync(fromRepository('docs')).map((page) => `docs/${page}`)];

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('compiles every TypeScript example in the documentation', async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let count = 0;
  for (const page of pages) {
    const text = readFileSync(fromRepository(page), 'utf8');
    for (const block of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      const line = text.slice(0, block.index).split('\n').length + 1;
      const name = `${page.replace(/\W/g, '-')}-line-${line}.ts`;
      writeFileSync(join(folder, name), standalone(block[1] as string));
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(10);
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false, incremental: false },
    include: ['*.ts'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { status, stdout } = await run(process.execPath, [
    fromRepository('node_modules/typescript/bin/tsc'),
    '--pretty',
    'false',
    '-p',
    folder,
  ]);
  expect(stdout).toBe('');
  expect(status).toBe(0);
}, 120_000);

/** Puts the preamble on the first line, so that the line numbers of errors stay close to those of the block. */
function standalone(block: string): string {
  const needed = PREAMBLE.filter(([name]) => used(name, block) && !declared(name, block));
  return `${needed.map(([, declaration]) => declaration.replace(/\s*\n\s*/g, ' ')).join(' ')} export {};\n${block}`;
}

function used(name: string, block: string): boolean {
  const code = block.replace(/\/\/.*$/gm, '').replace(/'[^'\n]*'/g, "''");
  return new RegExp(`(?<![.\\w])${name}\\b(?!:)`).test(code);
}

function declared(name: string, block: string): boolean {
  const declaration = new RegExp(`\\b(const|let|using|function|class)\\s+(\\{[^}]*\\b)?${name}\\b`);
  const imported = new RegExp(`^import (type )?[^;]*\\b${name}\\b[^;]* from`, 'm');
  return declaration.test(block) || imported.test(block);
}
