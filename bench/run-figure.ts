import { fork } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FigureName } from './figures';
import type { FigureResult, Size } from './support/result';

const ENTRY = fileURLToPath(new URL('./figure-process.ts', import.meta.url));

/** Runs one figure in a process of its own. Rejects when it ends without a result; it has said why on stderr. */
export function runFigure(name: FigureName, size: Size, scratch: string): Promise<FigureResult> {
  const own = join(scratch, name);
  mkdirSync(own);
  return new Promise<FigureResult>((resolve, reject) => {
    let result: FigureResult | undefined;
    const child = fork(ENTRY, [name, size, own]);
    child.on('message', (message) => {
      result = message as FigureResult;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (result !== undefined && code === 0) resolve(result);
      else reject(new Error(`The figure "${name}" ended with ${signal ?? `status ${code}`}.`));
    });
  }).finally(() => rmSync(own, { recursive: true, force: true, maxRetries: 3 }));
}
