import { mkdir, writeFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import type { DemoOptions, DemoResult } from '../demo';
import { renderChart } from './chart';
import { type Database, startDatabase } from './database';
import { startHotSecrets } from './hot-secrets';
import { POOL_SIZE, WORKERS } from './load';
import { summarize } from './measure';
import { startNaive } from './naive';
import { brokenPromises, type Comparison, renderReport } from './report';
import type { Way } from './rotations';
import { type Plan, run } from './run';
import type { StartService } from './service';

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

/** A database, and the two variants of a service that uses it. */
export interface Engine {
  readonly title: string;
  readonly startDatabase: () => Promise<Database>;
  readonly startNaive: StartService;
  readonly startHotSecrets: StartService;
  /** What the naive variant does. */
  readonly naive: string;
  readonly chart: string;
}

/** Rotates passwords of PostgreSQL under load. */
export const databaseDemo = (options: DemoOptions) =>
  compare(
    {
      title: 'PostgreSQL',
      startDatabase,
      startNaive,
      startHotSecrets,
      naive: 'await pool.end(); pool = new Pool()',
      chart: 'latency.svg',
    },
    options,
  );

/** Rotates database passwords under load, first with a naive pool, then with `createPool`. */
export async function compare(engine: Engine, { short, color, progress }: DemoOptions): Promise<DemoResult> {
  const plan = short ? SHORT : FULL;
  progress.line(
    `${WORKERS} workers share a pool of ${POOL_SIZE} connections to a real ${engine.title}. Each variant gets ${plan.rotations.length} password rotations.`,
  );
  progress.status(`Starting ${engine.title}`);
  await using database = await engine.startDatabase();
  const naive = await run('naive', engine.startNaive, database, plan, progress);
  const hotSecrets = await run('hot-secrets', engine.startHotSecrets, database, plan, progress);

  const comparison: Comparison = { hotSecrets: summarize(hotSecrets), naive: summarize(naive) };
  const chart = resolve('demo-report', engine.chart);
  await mkdir(resolve('demo-report'), { recursive: true });
  await writeFile(
    chart,
    renderChart([
      { title: `naive: ${engine.naive}`, recording: naive },
      { title: 'hot-secrets', recording: hotSecrets },
    ]),
  );

  progress.line('');
  progress.line(renderReport(comparison, color));
  progress.line('');
  progress.line(`  naive = ${engine.naive}, whenever the secrets change`);
  progress.line(
    '  latencies count served queries only; a query is hung if it is still unanswered long after the load stops',
  );
  progress.line(`  chart: ${relative('', chart)}`);
  return { figures: comparison, broken: brokenPromises(comparison) };
}
