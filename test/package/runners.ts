import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fromRepository, run } from './support/repository';
import { installedConsumer, packedTarball } from './support/tarball';

/** The test runners, with what users install and how they run it. */
const RUNNERS = [
  { name: 'jest', command: ['node_modules/jest/bin/jest.js', '--rootDir', 'runners/jest', '--ci'] },
  { name: 'vitest', command: ['node_modules/vitest/vitest.mjs', 'run', '--root', 'runners/vitest'] },
  { name: 'node:test', command: ['--test', 'runners/node/rotation.test.mjs'] },
];

/** Runs the tests of a user, on the packed package, in each test runner. */
async function main(): Promise<void> {
  const consumer = await installedConsumer(await packedTarball(), ['jest@^30', 'vitest@^4']);
  let failed = 0;
  try {
    cpSync(fromRepository('test/package/runners'), join(consumer, 'runners'), { recursive: true });
    for (const { name, command } of RUNNERS) {
      const { status, stdout, stderr } = await run(process.execPath, command, { cwd: consumer });
      const good = status === 0 && !/Warning/.test(stderr);
      if (!good) failed += 1;
      console.log(`${good ? 'ok    ' : 'FAILED'} ${name}`);
      if (!good) console.log(`${stdout}${stderr}`);
    }
  } finally {
    rmSync(consumer, { recursive: true, force: true });
  }
  console.log(`${RUNNERS.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

await main();
