import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, succeed } from './support/repository';
import { installedConsumer, packedTarball } from './support/tarball';

/** A runtime whose binary is a package on npm. */
interface Runtime {
  readonly name: string;
  readonly version: string;
  readonly package: string;
  readonly command: readonly string[];
  readonly scripts: readonly string[];
}

const PLATFORM = `${process.platform}-${process.arch}`;
const SCRIPTS = ['consumer.mjs', 'consumer.cjs', 'both-copies.mjs'];

const RUNTIMES: readonly Runtime[] = [
  // The lowest version in `engines`, and the release lines in use.
  ...['20.19.0', '22.23.3', '24.21.0', '26.10.0'].map((version) => ({
    name: 'Node',
    version,
    package: `node-${PLATFORM}`,
    command: ['bin/node'],
    scripts: [...SCRIPTS, 'permission.mjs'],
  })),
  // A smoke test: these implement Node's interfaces in part.
  {
    name: 'Bun',
    version: '1.4.5',
    package: `@oven/bun-${PLATFORM}`,
    command: ['bin/bun'],
    scripts: SCRIPTS,
  },
  {
    name: 'Deno',
    version: '2.9.6',
    package: `@deno/${PLATFORM}${process.platform === 'linux' ? '-glibc' : ''}`,
    command: ['deno', 'run', '--allow-all', '--quiet'],
    scripts: SCRIPTS,
  },
];

/** Runs the packed package in each runtime and prints the results. */
async function main(): Promise<void> {
  const consumer = await installedConsumer(await packedTarball(), ['pg']);
  const folder = mkdtempSync(join(tmpdir(), 'hot-secrets-runtimes-'));
  let passed = 0;
  let failed = 0;
  try {
    for (const { name, version, package: binaries, command, scripts } of RUNTIMES) {
      const at = join(folder, version);
      const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
      await succeed('npm', ['install', ...options, '--prefix', at, `${binaries}@${version}`], {
        cwd: folder,
      });
      const [file = '', ...args] = command;
      const binary = join(at, 'node_modules', binaries, file);
      // npm sets this only for files that a package lists as commands.
      chmodSync(binary, 0o755);
      for (const script of scripts) {
        const { status, stdout, stderr } = await run(binary, [...args, script], { cwd: consumer });
        const good = status === 0 && stdout.trim() === 'ok' && stderr === '';
        if (good) passed += 1;
        else failed += 1;
        console.log(`${good ? 'ok    ' : 'FAILED'} ${name} ${version} ${script}`);
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
