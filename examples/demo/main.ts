import { mkdir, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { renderChart } from './chart';
import { startDatabase } from './database';
import { startHotSecrets } from './hot-secrets';
import { POOL_SIZE, WORKERS } from './load';
import { summarize } from './measure';
import { startNaive } from './naive';
import { startProgress } from './progress';
import { brokenPromises, type Comparison, renderReport } from './report';
import type { Way } from './rotations';
import { type Plan, run } from './run';

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, short: { type: 'boolean', default: false } },
});

const times = (count: number, way: Way): Way[] => Array.from({ length: count }, () => way);
const plan: Plan = options.short
  ? { baselineMs: 1_500, hungAfterMs: 3_000, rotations: ['two-roles', 'late-file', 'wrong-first'] }
  : {
      baselineMs: 3_000,
      hungAfterMs: 10_000,
      rotations: [...times(4, 'two-roles'), ...times(3, 'late-file'), ...times(3, 'wrong-first')],
    };

// The loader that started this file may be killed alone; nothing must go on without it.
const parent = process.ppid;
setInterval(() => process.ppid !== parent && process.exit(1), 500).unref();

const output = options.json ? process.stderr : process.stdout;
const progress = startProgress(output);
const naiveTitle = 'naive: await pool.end(); pool = new Pool()';

progress.line(
  `${WORKERS} workers, a pool of ${POOL_SIZE}, a real PostgreSQL, ${plan.rotations.length} password rotations each.`,
);
progress.status('Starting PostgreSQL');
await using database = await startDatabase();
const naive = await run('naive', startNaive, database, plan, progress);
const hotSecrets = await run('hot-secrets', startHotSecrets, database, plan, progress);

const comparison: Comparison = { hotSecrets: summarize(hotSecrets), naive: summarize(naive) };
const chart = resolve('demo-report', 'latency.svg');
await mkdir(resolve('demo-report'), { recursive: true });
await writeFile(
  chart,
  renderChart([
    { title: naiveTitle, recording: naive },
    { title: 'hot-secrets', recording: hotSecrets },
  ]),
);

const broken = brokenPromises(comparison);
progress.line('');
progress.line(renderReport(comparison, output.isTTY === true && process.env.NO_COLOR === undefined));
progress.line('');
progress.line(`  naive = ${naiveTitle.slice('naive: '.length)}, on each change of the secrets`);
progress.line(
  '  latencies are those of served queries; a hung query was still unanswered long after the load stopped',
);
progress.line(`  chart: ${relative('', chart)}`);
for (const what of broken) progress.line(`  BROKEN PROMISE of hot-secrets: ${what}`);
if (options.json) process.stdout.write(`${JSON.stringify(comparison)}\n`);
process.exitCode = broken.length === 0 ? 0 : 1;
