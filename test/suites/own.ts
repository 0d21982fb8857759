import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fromRepository, run } from '../package/support/repository';

export interface OwnSuite {
  readonly name: string;
  readonly problems: readonly string[];
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs the suites of this folder on the packed package: all, or those whose path contains one of `only`. */
export async function runOwnSuites(consumer: string, only: readonly string[]): Promise<OwnSuite[]> {
  const path = join(consumer, 'report.json');
  rmSync(path, { force: true });
  const config = fromRepository('test/suites/vitest.config.ts');
  // The JSON report leaves out errors outside of tests. The default one prints them.
  const reporters = ['--reporter', 'default', '--reporter', 'json', '--outputFile.json', path];
  const vitest = fromRepository('node_modules/vitest/vitest.mjs');
  const { status, stdout, stderr } = await run(
    process.execPath,
    [vitest, 'run', '--config', config, ...reporters, ...only],
    { env: { SUITES_CONSUMER: consumer } },
  );
  const output = `${stdout.slice(-4000)}\n${stderr.slice(-8000)}`;
  let report: Report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return [{ name: `vitest ended with status ${status}`, problems: [output] }];
  }
  const suites = report.testResults.map(({ name, message, assertionResults: tests }) => {
    const failures = tests.filter((test) => test.status !== 'passed');
    const title = relative(fromRepository('test/suites'), name);
    return {
      name: `${title}: ${tests.length - failures.length} of ${tests.length}`,
      problems: [
        ...failures.map((test) => `${test.fullName}: ${test.failureMessages[0] ?? test.status}`),
        ...(message === '' && tests.length > 0 ? [] : [message || 'has no tests']),
      ],
    };
  });
  // For example an error that no test was waiting for.
  const unexplained = status !== 0 && suites.every(({ problems }) => problems.length === 0);
  return unexplained
    ? [...suites, { name: `vitest ended with status ${status}`, problems: [output] }]
    : suites;
}

/** Checks the suites with the types of the packed package: Kysely declares what it needs of a pool. */
export async function checkTypes(consumer: string): Promise<string[]> {
  const packed = (entry: string) => [join(consumer, 'node_modules/hot-secrets/dist', `${entry}.d.ts`)];
  const config = {
    extends: fromRepository('tsconfig.json'),
    compilerOptions: {
      paths: {
        'hot-secrets': packed('index'),
        'hot-secrets/pg': packed('pg'),
        kysely: [join(consumer, 'node_modules/kysely')],
        'kysely/*': [join(consumer, 'node_modules/kysely/dist/*')],
      },
      typeRoots: [fromRepository('node_modules/@types')],
    },
    include: [fromRepository('test/suites/**/*.suite.ts')],
    exclude: [],
  };
  const path = join(consumer, 'tsconfig.json');
  writeFileSync(path, JSON.stringify(config));
  const tsc = fromRepository('node_modules/typescript/bin/tsc');
  const { status, stdout } = await run(process.execPath, [tsc, '-p', path]);
  // Further lines of an error are indented.
  return status === 0 ? [] : stdout.split('\n').filter((line) => /^\S/.test(line));
}
