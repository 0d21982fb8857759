import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HOLDER_USER } from './holder';
import { Run } from './run';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string' },
  },
});
const isRoot = process.geteuid?.() === 0;

/** Starts this command again in mounts of its own, where it may mount a file system that ends with it. */
function inOwnMounts(): number | undefined {
  if (!isRoot || process.env.CHAOS_OWN_MOUNTS !== undefined) return undefined;
  if (spawnSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }).status !== 0) return undefined;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1), '--seed', values.seed];
  const env = { ...process.env, CHAOS_OWN_MOUNTS: '1' };
  return spawnSync('unshare', ['--mount', ...again], { stdio: 'inherit', env }).status ?? 1;
}

/** Mounts a small file system in memory. Returns its directory, or `undefined` if that is not permitted. */
function smallMemory(path: string): string | undefined {
  mkdirSync(path);
  if (process.env.CHAOS_OWN_MOUNTS === undefined) return undefined;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=755', 'chaos', path]);
  return status === 0 ? path : undefined;
}

async function main(): Promise<number> {
  const base = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
  chmodSync(base, 0o755);
  try {
    const [memory, outside, temporary] = ['memory', 'outside', 'temporary'].map((name) => join(base, name));
    const mounted = smallMemory(memory as string);
    mkdirSync(outside as string);
    mkdirSync(temporary as string);
    if (isRoot) chownSync(temporary as string, HOLDER_USER, HOLDER_USER);
    const run = new Run({
      ...{ base, memory: mounted, outside: outside as string, temporary: temporary as string, isRoot },
      ...{ faults: Number(values.faults), seed: Number(values.seed), only: values.only },
    });
    return await run.finish();
  } finally {
    if (process.env.CHAOS_OWN_MOUNTS !== undefined) spawnSync('umount', ['--lazy', join(base, 'memory')]);
    rmSync(base, { recursive: true, force: true });
  }
}

process.exitCode = inOwnMounts() ?? (await main());
