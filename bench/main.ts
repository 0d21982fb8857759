import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type FigureName, figureNames, isFigureName } from './figures';
import { renderFigure, renderMissed } from './render';
import { runFigure } from './run-figure';
import type { FigureResult, Size } from './support/result';
import { makeScratch } from './support/scratch';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    attempts: { type: 'string', default: '1' },
  },
});
const attempts = Number(values.attempts);
if (!Number.isInteger(attempts) || attempts < 1) {
  console.error(`--attempts must be a whole number of at least 1, not ${values.attempts}.`);
  process.exit(1);
}
const unknown = positionals.filter((name) => !isFigureName(name));
if (unknown.length > 0) {
  console.error(`Unknown figure: ${unknown.join(', ')}. Use any of: ${figureNames.join(', ')}.`);
  process.exit(1);
}
const selected = positionals.length > 0 ? positionals.filter(isFigureName) : figureNames;
const size: Size = values.short ? 'short' : 'full';
const scratch = makeScratch();
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(status));
}
process.on('exit', () => rmSync(scratch.path, { recursive: true, force: true, maxRetries: 3 }));

console.log(
  `node ${process.version}, mounts on ${scratch.tmpfs ? 'tmpfs' : 'a disk'}${values.short ? ', short run' : ''}\n`,
);
const results: Partial<Record<FigureName, FigureResult & { readonly pass: boolean }>> = {};
const missed: string[] = [];
for (const name of selected) missed.push(...(await measure(name)));

const pass = missed.length === 0;
console.log(pass ? 'All targets are met.' : `Missed:\n${missed.map((line) => `  ${line}`).join('\n')}`);
if (values.json) {
  console.log(JSON.stringify({ node: process.version, size, tmpfs: scratch.tmpfs, pass, figures: results }));
}
process.exitCode = pass ? 0 : 1;

/** Measures a figure until it meets its targets, at most `attempts` times: noise passes, a regression stays. */
async function measure(name: FigureName): Promise<string[]> {
  let misses: string[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    misses = await measureOnce(name);
    if (misses.length === 0) break;
    if (attempt < attempts) console.log(`${name} misses a target and is measured again.\n`);
  }
  return misses;
}

/** Measures a figure, prints it, and returns a line for each target that it misses. */
async function measureOnce(name: FigureName): Promise<string[]> {
  try {
    const result = await runFigure(name, size, scratch.path);
    const failed = result.checks.filter(({ pass }) => !pass);
    results[name] = { pass: failed.length === 0, ...result };
    console.log(`${renderFigure(name, result)}\n`);
    return failed.map((check) => renderMissed(name, check));
  } catch (error) {
    results[name] = { pass: false, checks: [], details: {} };
    return [`${name}: not measured: ${(error as Error).message}`];
  }
}
