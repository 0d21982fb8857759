import { fork } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FigureName } from './figures';
import type { FigureResult, Size } from './support/result';

// Several times the duration of the slowest figure, the matrix of all clients. One that hangs must not hang the whole run.
const FIGURE_TIMEOUT_MS = 1_800_000;
const ENTRY = fileURLToPath(new URL('./figure-process.ts', import.meta.url));

/** Runs one figure in its own process. Rejects if the process ends without a result; stderr then says why. */
export function runFigure(name: FigureName, size: Size, scratch: string): Promise<FigureResult> {
  const own = join(scratch, name);
  mkdirSync(own);
  return new Promise<FigureResult>((resolve, reject) => {
    let result: FigureResult | undefined;
    const child = fork(ENTRY, [name, size, own], { timeout: FIGURE_TIMEOUT_MS });
    const stop = () => child.kill();
    // Runs before the handler that removes the directory to which the child writes.
    process.prependOnceListener('exit', stop);
    child.on('message', (message) => {
      result = message as FigureResult;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('exit', stop);
      if (result !== undefined && code === 0) resolve(result);
      else reject(new Error(`The figure "${name}" ended with ${signal ?? `status ${code}`}.`));
    });
  }).finally(() => rmSync(own, { recursive: true, force: true, maxRetries: 3 }));
}
