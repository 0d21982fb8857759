import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../../support/certificates';
import { createPfx } from '../../support/pfx';
import { succeed } from '../support/repository';
import { installedConsumer, packedTarball } from '../support/tarball';
import { bundle, bundlers } from './bundlers';
import { runNext } from './next';
import { externalsOf, programs, sourceOf } from './programs';

const PEERS = [
  'pg@^8',
  'mysql2@^3',
  'undici@^7',
  'redis@^6',
  'ioredis@^6',
  '@grpc/grpc-js@^1.14',
  '@azure/identity@~4.13',
  '@azure/keyvault-secrets@~4.11',
  '@aws-sdk/rds-signer@^3',
  'jose@^6',
  'node-forge@^1',
  '@opentelemetry/api@^1',
  '@nestjs/common@^12',
  'reflect-metadata@^0.2',
  'rxjs@^7',
];
const ENTRIES = Object.keys(programs);
const MODES = ['passed', 'external'] as const;

type Results = Map<string, Map<string, string>>;

/** `npm run test:bundlers -- esbuild webpack`: all bundlers without arguments. `ENTRY=pg` runs one entry. */
async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const isWanted = (name: string) => wanted.length === 0 || wanted.some((one) => name.startsWith(one));
  const names = Object.keys(bundlers).filter(isWanted);
  const entries = ENTRIES.filter((entry) => process.env.ENTRY === undefined || process.env.ENTRY === entry);
  const packages = [...new Set(names.flatMap((name) => bundlers[name]?.packages ?? []))];
  const tarball = await packedTarball();
  const project = await installedConsumer(tarball, [...PEERS, ...packages]);
  // Nothing is installed here or above.
  const elsewhere = mkdtempSync(join(tmpdir(), 'hot-secrets-bundles-'));
  const results: Results = new Map();
  try {
    const pairs = await certificates();
    for (const entry of entries) {
      for (const mode of MODES) {
        const external = externalsOf(entry, mode === 'passed');
        if (mode === 'external' && external.length === 0) continue;
        const input = join(project, `${entry}.${mode}.mjs`);
        writeFileSync(input, runnable(sourceOf(entry, mode === 'passed', pairs)));
        for (const name of names) {
          const folder = mode === 'passed' ? elsewhere : project;
          const out = join(folder, 'out', `${entry}-${mode}-${name}`);
          mkdirSync(out, { recursive: true });
          await record(results, entry, `${name} ${mode}`, async () => {
            const file = await bundle(name, { project, input, out, external });
            return succeed(process.execPath, [file], { cwd: out });
          });
        }
      }
    }
    if (isWanted('next'))
      await runNext({ tarball, peers: PEERS, entries, pairs, record: record.bind(undefined, results) });
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
    if (process.env.KEEP === undefined) rmSync(project, { recursive: true, force: true });
  }
  if (print(results) > 0) process.exitCode = 1;
}

function runnable(source: string): string {
  return `${source}
main().then(console.log, (error) => { console.error(error); process.exitCode = 1; });`;
}

async function certificates() {
  const { cert, key } = await (await createAuthority()).issue();
  return { cert, key, legacyPfx: createPfx({ cert, key, encryption: 'rc2-40' }).toString('base64') };
}

async function record(
  results: Results,
  entry: string,
  column: string,
  run: () => Promise<string>,
): Promise<void> {
  let found: string;
  try {
    const printed = (await run()).trim();
    found = printed === 'ok' ? 'ok' : 'FAILED';
    if (found !== 'ok') console.log(`${entry}, ${column}: ${printed}`);
  } catch (error) {
    found = 'FAILED';
    console.log(`${entry}, ${column}: ${(error as Error).message}`);
  }
  console.log(`${found.padEnd(6)} ${entry} ${column}`);
  const row = results.get(entry) ?? new Map<string, string>();
  results.set(entry, row.set(column, found));
}

/** Prints the matrix of entries and bundlers. Returns the number of failures. */
function print(results: Results): number {
  const columns = [...new Set([...results.values()].flatMap((row) => [...row.keys()]))];
  const rows = [...results].map(([entry, row]) => [
    entry,
    ...columns.map((column) => row.get(column) ?? '-'),
  ]);
  console.log(`\n${columns.map((column, index) => `${index + 1}: ${column}`).join('\n')}\n`);
  for (const cells of [['entry', ...columns.map((_, index) => String(index + 1))], ...rows]) {
    console.log(cells.map((cell, index) => cell.padEnd(index === 0 ? 14 : 7)).join(''));
  }
  const all = rows.flatMap(([, ...cells]) => cells);
  const failed = all.filter((cell) => cell === 'FAILED').length;
  console.log(`\n${all.filter((cell) => cell === 'ok').length} passed, ${failed} failed`);
  return failed;
}

await main();
