import { mkdir, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { DemoOptions, DemoResult } from '../demo';
import { renderChart } from './chart';
import { startDatabase } from './database';
import { startHotSecrets } from './hot-secrets';
import { POOL_SIZE, WORKERS } from './load';
import { summarize } from './measure';
import { startNaive } from './naive';
import { brokenPromises, type Comparison, renderReport } from './report';
import type { Way } from './rotations';
import { type Plan, run } from './run';

const times = (count: number, way: Way): Way[] => Array.from({ length: count }, () => way);

export const SHORT: Plan = {
  baselineMs: 1_500,
  hungAfterMs: 3_000,
  rotations: ['two-roles', 'late-file', 'wrong-first'],
};
export const FULL: Plan = {
  baselineMs: 3_000,
  hungAfterMs: 10_000,
  rotations: [...times(4, 'two-roles'), ...times(3, 'late-file'), ...times(3, 'wrong-first')],
};

const NAIVE = 'await pool.end(); pool = new Pool()';

/** Rotates database passwords under load, first with a naive pool, then with `createPool`. */
export async function databaseDemo({ short, color, progress }: DemoOptions): Promise<DemoResult> {
  const plan = short ? SHORT : FULL;
  progress.line(
    `${WORKERS} workers share a pool of ${POOL_SIZE} connections to a real PostgreSQL. Each variant gets ${plan.rotations.length} password rotations.`,
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
      { title: `naive: ${NAIVE}`, recording: naive },
      { title: 'hot-secrets', recording: hotSecrets },
    ]),
  );

  progress.line('');
  progress.line(renderReport(comparison, color));
  progress.line('');
  progress.line(`  naive = ${NAIVE}, whenever the secrets change`);
  progress.line(
    '  latencies count served queries only; a query is hung if it is still unanswered long after the load stops',
  );
  progress.line(`  chart: ${relative('', chart)}`);
  return { figures: comparison, broken: brokenPromises(comparison) };
}
