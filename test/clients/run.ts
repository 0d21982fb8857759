import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fromRepository, run } from '../package/support/repository';
import type { RowFigures } from './measure';

/** The outcome of one row. */
export interface RowResult {
  readonly name: string;
  readonly figures?: RowFigures;
  /** Why the row did not run: its server is not installed. */
  readonly skipped?: string;
  /** Empty if the row kept the promise. */
  readonly problems: readonly string[];
}

const TIMEOUT_S = '180';

/** Measures one row in its own process. */
export async function runRow(folder: string, name: string): Promise<RowResult> {
  const tsx = pathToFileURL(fromRepository('node_modules/tsx/dist/loader.mjs')).href;
  const row = join(folder, 'test/clients/row.ts');
  const { status, stdout, stderr } = await run(
    'timeout',
    ['--kill-after=10', TIMEOUT_S, process.execPath, '--import', tsx, row, name],
    { cwd: folder },
  );
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    const { skipped, ...figures } = JSON.parse(last) as RowFigures & { readonly skipped?: string };
    if (skipped !== undefined) return { name, skipped, problems: process.env.CI ? [skipped] : [] };
    return { name, figures, problems: problemsOf(figures) };
  } catch {
    return { name, problems: [`ended with status ${status}\n${stderr.slice(-2_000)}`] };
  }
}

function problemsOf({ ways, problems }: RowFigures): string[] {
  const broken = Object.entries(ways).flatMap(([way, { done, failed, hung, oldSessions }]) => [
    ...(done === 0 ? [`${way}: there was no load`] : []),
    ...(failed > 0 ? [`${way}: ${failed} failed`] : []),
    ...(hung > 0 ? [`${way}: ${hung} hung`] : []),
    ...(oldSessions > 0 ? [`${way}: ${oldSessions} old sessions stayed open`] : []),
  ]);
  return [...broken, ...problems];
}

/** One line of the table for each row: failed / hung / old sessions / refused logins in each way, and latencies. */
export function renderRow({ name, figures, skipped, problems }: RowResult): string {
  const state = problems.length > 0 ? 'FAILED' : skipped === undefined ? 'ok' : 'skipped';
  const cells = Object.values(figures?.ways ?? {}).map(
    ({ failed, hung, oldSessions, refusedLogins, p99Ms }) =>
      `${failed} / ${hung} / ${oldSessions} / ${refusedLogins} / ${Math.round(p99Ms)}`,
  );
  const columns = cells.map((cell) => cell.padStart(CELL_WIDTH)).join('');
  const steady = figures === undefined ? '' : String(Math.round(figures.steadyP99Ms)).padStart(8);
  const line = `${state.padEnd(8)}${name.padEnd(NAME_WIDTH)}${columns}${steady}`;
  return [line, ...(skipped === undefined ? [] : [skipped]), ...problems].join('\n         ');
}

const NAME_WIDTH = 20;
const CELL_WIDTH = 24;

export const HEADING = `${''.padEnd(8 + NAME_WIDTH)}${['two users', 'file 2 s late', 'wrong first'].map((way) => way.padStart(CELL_WIDTH)).join('')}  steady
failed / hung / old sessions left / refused logins / p99 ms`;
