import { installClients } from '../../test/clients/install';
import { rowNames } from '../../test/clients/rows';
import { HEADING, renderRow, runRow } from '../../test/clients/run';
import { atMost, type Check, type FigureOptions, type FigureResult } from '../support/result';

const SHORT = ['kysely', 'knex', 'nats'];

/** Puts every client under load and rotates its credential in three ways. Prints the table of `npm run test:clients`. */
export async function matrix({ size }: FigureOptions): Promise<FigureResult> {
  const folder = await installClients();
  console.log(HEADING);
  const checks: Check[] = [];
  const details: Record<string, number> = {};
  for (const name of size === 'short' ? SHORT : rowNames) {
    const result = await runRow(folder, name);
    console.log(renderRow(result));
    const { figures, skipped, problems } = result;
    if (skipped !== undefined && problems.length === 0) continue;
    if (figures === undefined) throw new Error(`${name} was not measured: ${problems.join('\n')}`);
    const ways = Object.values(figures.ways);
    const total = (of: (way: (typeof ways)[number]) => number) => ways.reduce((sum, way) => sum + of(way), 0);
    checks.push(
      atMost(
        0,
        `${name}: calls that failed`,
        total(({ failed }) => failed),
      ),
      atMost(
        0,
        `${name}: calls that hung`,
        total(({ hung }) => hung),
      ),
      atMost(
        0,
        `${name}: sessions that kept the old credential`,
        total(({ oldSessions }) => oldSessions),
      ),
      atMost(0, `${name}: other problems`, problems.length),
    );
    details[`${name}: p99 between rotations, ms`] = figures.steadyP99Ms;
    for (const [way, { p99Ms, refusedLogins }] of Object.entries(figures.ways)) {
      details[`${name}, ${way}: p99 during the rotation, ms`] = p99Ms;
      details[`${name}, ${way}: logins refused`] = refusedLogins;
    }
  }
  return { checks, details };
}
