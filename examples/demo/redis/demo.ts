import { startRedis } from '../../../test/support/redis';
import type { DemoOptions, DemoResult } from '../demo';
import { count, renderTable } from '../table';
import { type Way, wayTitles } from './rotations';
import { type Outcome, type Plan, run, type Summary, WORKERS } from './run';
import { type Library, services } from './service';

const times = (number: number, way: Way): Way[] => Array.from({ length: number }, () => way);

const SHORT: Plan = {
  baselineMs: 500,
  hungAfterMs: 2_000,
  rotations: ['two-users', 'late-file', 'wrong-first'],
};
const FULL: Plan = {
  baselineMs: 2_000,
  hungAfterMs: 10_000,
  rotations: [...times(2, 'two-users'), ...times(2, 'late-file'), ...times(2, 'wrong-first')],
};

type Comparison = Readonly<Record<Library, { readonly hotSecrets: Summary; readonly naive: Summary }>>;

/** Rotates Redis passwords under load, with a naive client and with one of hot-secrets, for node-redis and for ioredis. */
export async function redisDemo({ short, color, progress }: DemoOptions): Promise<DemoResult> {
  const plan = short ? SHORT : FULL;
  progress.line(
    `${WORKERS} workers share a client of a real Redis. Each variant gets ${plan.rotations.length} password rotations.`,
  );
  await using server = await startRedis();
  const results: [Library, Comparison[Library]][] = [];
  for (const library of Object.keys(services) as Library[]) {
    const { hotSecrets, naive } = services[library];
    results.push([
      library,
      {
        naive: await run(`${library}, naive`, naive, server, plan, progress),
        hotSecrets: await run(`${library}, hot-secrets`, hotSecrets, server, plan, progress),
      },
    ]);
  }
  const comparison = Object.fromEntries(results) as unknown as Comparison;
  progress.line('');
  progress.line(renderReport(comparison, color));
  progress.line('');
  progress.line('  naive = on a change of the secrets, make a new client and close the old one');
  progress.line(
    '  latencies count served commands only; a command is hung if it is still unanswered after the load',
  );
  return { figures: comparison, broken: brokenPromises(comparison) };
}

function brokenPromises(comparison: Comparison): string[] {
  return Object.entries(comparison).flatMap(([library, { hotSecrets }]) =>
    Object.entries(hotSecrets.ways).flatMap(([way, { commands, failed, hung }]) => {
      const broken: string[] = [];
      if (commands === 0) broken.push('there was no load');
      if (failed > 0) broken.push(`${failed} commands failed`);
      if (hung > 0) broken.push(`${hung} commands hung`);
      return broken.map((what) => `${library}, ${wayTitles[way as Way]}: ${what}`);
    }),
  );
}

function renderReport(comparison: Comparison, color: boolean): string {
  const tables = Object.entries(comparison).map(([library, { hotSecrets, naive }]) => {
    const row = (title: string, cell: (figures: Summary) => string) => [title, cell(hotSecrets), cell(naive)];
    const rows = [
      [library, 'hot-secrets', 'naive'],
      row('commands', ({ commands }) => count(commands)),
      row('failed', ({ failed }) => count(failed)),
      row('hung', ({ hung }) => count(hung)),
      ['during rotations: failed / hung / p99, ms', '', ''],
    ];
    const ways = Object.entries(hotSecrets.ways).map(([way, ours]) => [
      wayTitles[way as Way],
      cellOf(ours),
      cellOf(naive.ways[way as Way]),
    ]);
    return renderTable([...rows, ...ways], color);
  });
  return tables.join('\n\n');
}

const cellOf = (outcome: Outcome | undefined) =>
  outcome === undefined ? '' : `${count(outcome.failed)} / ${count(outcome.hung)} / ${outcome.p99Ms}`;
