import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, succeed } from './support/repository';
import { installedConsumer, packedTarball } from './support/tarball';

// The lowest version in `engines`, and the release lines in use. The binaries come from npm.
const VERSIONS = ['20.19.0', '22.23.3', '24.21.0', '26.10.0'];
const SCRIPTS = ['consumer.mjs', 'consumer.cjs', 'both-copies.mjs', 'permission.mjs'];

/** Runs the packed package on each Node and prints the results. */
async function main(): Promise<void> {
  const binaries = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const consumer = await installedConsumer(await packedTarball(), ['pg']);
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-nodes-'));
  let passed = 0;
  let failed = 0;
  try {
    for (const version of VERSIONS) {
      const at = join(folder, version);
      const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
      await succeed('npm', ['install', ...options, '--prefix', at, `${binaries}@${version}`], {
        cwd: folder,
      });
      for (const script of SCRIPTS) {
        const node = join(at, 'node_modules', binaries, 'bin', 'node');
        const { status, stdout, stderr } = await run(node, [script], { cwd: consumer });
        const good = status === 0 && stdout.trim() === 'ok' && stderr === '';
        if (good) passed += 1;
        else failed += 1;
        console.log(`${good ? 'ok    ' : 'FAILED'} Node ${version} ${script}`);
        if (!good) console.log(`${stdout}${stderr}`);
      }
      rmSync(at, { recursive: true, force: true });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(consumer, { recursive: true, force: true });
  }
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

await main();
