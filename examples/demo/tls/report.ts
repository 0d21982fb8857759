import { count, renderTable } from '../table';
import type { Recording } from './run';

/** What `--json` prints for one variant. Times are in milliseconds. */
export interface Figures {
  readonly handshakes: number;
  readonly failed: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly rotations: number;
  readonly rotationsServed: number;
  readonly badPairs: number;
  readonly badPairsRefused: number;
  readonly uncaught: number;
  /** Over the rotations that were served. Null: none was. */
  readonly newCertServedMedianMs: number | null;
  readonly newCertServedSlowestMs: number | null;
}

export interface Comparison {
  readonly hotSecrets: Figures;
  readonly watch: Figures;
  readonly interval: Figures;
}

export function summarize({ servedMs, failures, ...counts }: Recording): Figures {
  const served = servedMs.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  return {
    ...counts,
    failures,
    failed: Object.values(failures).reduce((sum, times) => sum + times, 0),
    rotations: servedMs.length,
    rotationsServed: served.length,
    newCertServedMedianMs: rounded(served[Math.floor((served.length - 1) / 2)]),
    newCertServedSlowestMs: rounded(served.at(-1)),
  };
}

/** The ways in which hot-secrets broke its promise. Empty if it kept it. */
export function brokenPromises(figures: Figures): string[] {
  const { handshakes, failed, failures, rotations, rotationsServed, badPairs, badPairsRefused } = figures;
  const broken: string[] = [];
  if (handshakes === 0) broken.push('there was no load');
  if (failed > 0) broken.push(`${failed} handshakes failed: ${Object.keys(failures).join(', ')}`);
  if (rotationsServed < rotations)
    broken.push(`${rotations - rotationsServed} new certificates were not served`);
  if (badPairsRefused < badPairs) broken.push(`${badPairs - badPairsRefused} bad pairs were not refused`);
  if (figures.uncaught > 0) broken.push(`${figures.uncaught} errors were not caught`);
  return broken;
}

/** Renders the comparison as a text table. */
export function renderReport({ hotSecrets, watch, interval }: Comparison, color: boolean): string {
  const row = (title: string, cell: (figures: Figures) => string) => [
    title,
    cell(hotSecrets),
    cell(watch),
    cell(interval),
  ];
  const rows = [
    ['', 'hot-secrets', 'naive: fs.watch', 'naive: setInterval'],
    row('new connections, full handshakes', ({ handshakes }) => count(handshakes)),
    row('failed', ({ failed }) => count(failed)),
    row('new certificates served', (f) => `${f.rotationsServed} of ${f.rotations}`),
    row('from the swap to the first handshake, median ms', ({ newCertServedMedianMs: ms }) =>
      milliseconds(ms),
    ),
    row('  slowest, ms', ({ newCertServedSlowestMs: ms }) => milliseconds(ms)),
    row('mismatched pairs refused and reported', (f) => `${f.badPairsRefused} of ${f.badPairs}`),
    row('uncaught errors (each ends the process)', ({ uncaught }) => count(uncaught)),
  ];
  return renderTable(rows, color);
}

function milliseconds(ms: number | null): string {
  return ms === null ? 'never' : String(ms);
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
