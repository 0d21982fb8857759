import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromRepository } from '../package/support/repository';
import { installedConsumer, packedTarball } from '../package/support/tarball';
import { startPostgres } from '../support/postgres';
import { checkTypes, runOwnSuites } from './own';
import { BY_DESIGN } from './pg-pool/differences';
import { type Outcome, runTestsOfPgPool } from './pg-pool/run';

/** What is installed with the packed package. Later versions of pg-pool do not ship their tests. */
const PACKAGES = [
  ...['pg@8.23.1', '@types/pg@8.23.1', 'pg-cursor@2.22.0', '@types/pg-cursor@2.7.2', 'kysely@0.29.9'],
  ...['pg-pool@3.7.0', 'mocha@11.7.5', 'expect.js@0.3.1', 'co@4.6.0', 'lodash@4.17.21', 'bluebird@3.7.2'],
];

/** Arguments name suites of this folder to run, without pg-pool's own tests. */
const only = process.argv.slice(2);
let passed = 0;
let failed = 0;

let started = performance.now();

/** Prints an outcome with the seconds since the one before. */
function check(what: string, problems: readonly string[]): void {
  if (problems.length === 0) passed += 1;
  else failed += 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  started = performance.now();
  console.log(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${what} (${seconds} s)`);
  for (const problem of problems) console.log(`       ${problem}`);
}

/** Runs pg-pool's own tests and this folder's suites, with `pg.Pool` and with `createPool` of the packed package. */
async function main(): Promise<void> {
  const consumer = await installedConsumer(await packedTarball(), PACKAGES);
  try {
    cpSync(fromRepository('test/suites/pg-pool/store.mjs'), join(consumer, 'store.mjs'));
    if (only.length === 0) await pgPool(consumer);
    check('types of the suites', await checkTypes(consumer));
    for (const { name, problems } of await runOwnSuites(consumer, only)) check(name, problems);
  } finally {
    rmSync(consumer, { recursive: true, force: true });
  }
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

async function pgPool(consumer: string): Promise<void> {
  await using server = await startPostgres();
  const [bare, own] = await Promise.all([
    runTestsOfPgPool(consumer, server, 'pg.Pool'),
    runTestsOfPgPool(consumer, server, 'createPool'),
  ]);
  const count = ({ passed, failed }: Outcome) => `${passed.length} of ${passed.length + failed.size}`;
  const differing = [...own.failed].filter(([title]) => !bare.failed.has(title));
  check(`pg-pool's own tests with pg.Pool: ${count(bare)}`, describe([...bare.failed]));
  check(
    `pg-pool's own tests with createPool: ${count(own)}, ${Object.keys(BY_DESIGN).length} differ by design`,
    [
      ...describe(differing.filter(([title]) => !(title in BY_DESIGN))),
      ...Object.keys(BY_DESIGN)
        .filter((title) => !own.failed.has(title))
        .map((title) => `${title}: passes, so differences.ts need not list it`),
    ],
  );
  for (const [title, reason] of Object.entries(BY_DESIGN)) console.log(`       ${title}\n         ${reason}`);
}

const describe = (failures: [string, string][]) =>
  failures.map(([title, error]) => `${title}: ${error || 'failed'}`);

await main();
