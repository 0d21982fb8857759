import { spawn } from 'node:child_process';
import { once } from 'node:events';

const SCRIPT = `
const fs = require('node:fs');
const [path, ...targets] = process.argv.slice(1);
fs.rmSync(path, { recursive: true, force: true });
process.stdout.write('swapping');
for (let round = 0; ; round += 1) {
  fs.symlinkSync(targets[round % targets.length], path + '.next');
  fs.renameSync(path + '.next', path);
}`;

/** Starts a process that points the link at `path` at one target after the other, without pause. Returns what stops it. */
export async function startSwapper(path: string, targets: readonly string[]): Promise<() => Promise<void>> {
  const child = spawn(process.execPath, ['-e', SCRIPT, path, ...targets], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}
