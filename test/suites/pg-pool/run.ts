import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromRepository, run } from '../../package/support/repository';
import type { PostgresServer } from '../../support/postgres';
import { BY_DESIGN, NOT_COUNTED } from './differences';

/** How often a test that fails is run again, alone: many of pg-pool's tests expect something within milliseconds. */
const REPETITIONS = 2;

const POOLS = { 'pg.Pool': 'bare-pool.cjs', createPool: 'own-pool.cjs' } as const;
export type PoolName = keyof typeof POOLS;

interface Report {
  readonly passes: readonly { readonly fullTitle: string }[];
  readonly failures: readonly { readonly fullTitle: string; readonly err: { readonly message?: string } }[];
}

export interface Outcome {
  readonly passed: readonly string[];
  /** Titles with the error. */
  readonly failed: ReadonlyMap<string, string>;
}

/** Runs pg-pool's own tests, with one of the pools instead of the one that they were written for. */
export async function runTestsOfPgPool(
  consumer: string,
  server: PostgresServer,
  pool: PoolName,
): Promise<Outcome> {
  const folder = join(consumer, POOLS[pool].replace('.cjs', ''));
  mkdirSync(folder);
  cpSync(join(consumer, 'node_modules/pg-pool/test'), join(folder, 'test'), { recursive: true });
  cpSync(fromRepository('test/suites/pg-pool', POOLS[pool]), join(folder, 'index.js'));
  // It ends the process at any warning, such as that pg deprecates what a test uses.
  rmSync(join(folder, 'test/setup.js'));
  const first = await mocha(consumer, server, pool, folder);
  const passed = new Set(first.passes.map(({ fullTitle }) => fullTitle));
  const failed = new Map<string, string>();
  for (const { fullTitle, err } of first.failures) {
    passed.delete(fullTitle);
    failed.set(fullTitle, err.message ?? '');
  }
  for (const title of [...failed.keys()].filter((one) => !(one in BY_DESIGN || one in NOT_COUNTED))) {
    if (await passesAlone(() => mocha(consumer, server, pool, folder, title))) {
      failed.delete(title);
      passed.add(title);
    }
  }
  for (const title of Object.keys(NOT_COUNTED)) {
    passed.delete(title);
    failed.delete(title);
  }
  return { passed: [...passed], failed };
}

async function passesAlone(attempt: () => Promise<Report>): Promise<boolean> {
  for (let left = REPETITIONS; left > 0; left -= 1) {
    const { passes, failures } = await attempt();
    if (passes.length > 0 && failures.length === 0) return true;
  }
  return false;
}

async function mocha(
  consumer: string,
  { host, port, superuser, password, database }: PostgresServer,
  pool: PoolName,
  folder: string,
  title?: string,
): Promise<Report> {
  const report = join(folder, 'report.json');
  const login = { PGHOST: host, PGPORT: String(port), PGUSER: superuser, PGDATABASE: database };
  const env =
    pool === 'pg.Pool'
      ? { ...login, PGPASSWORD: password }
      : { ...login, SUITE_PASSWORD: password, NODE_OPTIONS: `--import ${join(consumer, 'store.mjs')}` };
  const args = ['--exit', '--timeout', '7000', '--reporter', 'json', '--reporter-option', `output=${report}`];
  const only = title === undefined ? [] : ['--fgrep', title];
  const command = [join(consumer, 'node_modules/mocha/bin/mocha.js'), ...args, ...only];
  rmSync(report, { force: true });
  const { status, stdout, stderr } = await run(process.execPath, [...command, join(folder, 'test/*.js')], {
    cwd: folder,
    env,
  });
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report;
  } catch {
    throw new Error(
      `mocha ended with status ${status} and no report\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`,
    );
  }
}
