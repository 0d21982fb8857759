import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fleetChart } from '../fleet/chart';
import { curveLine } from '../fleet/curve-line';
import { type Curve, run, scenariosOf, tenThousand, thousand } from '../fleet/scenarios';
import { LIMIT } from '../fleet/simulation';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

const REPORT = fileURLToPath(new URL('../../bench-report/', import.meta.url));

/**
 * Simulates a fleet of pods with 20 secrets each, using the scheduling code of the Key Vault source, and compares the
 * requests in ten seconds with the limit of a vault.
 */
export async function fleet({ size }: FigureOptions): Promise<FigureResult> {
  const fleets = { '1,000 pods': thousand, ...(size === 'full' ? { '10,000 pods': tenThousand } : {}) };
  const curves = Object.entries(fleets).flatMap(([pods, settings]) =>
    scenariosOf(settings).map((scenario) => ({ pods, curve: run(scenario) })),
  );
  console.log(`requests per 10 s over an hour; a full bar is the limit of ${LIMIT}, "!" is above it`);
  for (const { pods, curve } of curves) console.log(curveLine(pods, curve));
  mkdirSync(REPORT, { recursive: true });
  for (const pods of Object.keys(fleets)) {
    const own = curves.filter((one) => one.pods === pods).map(({ curve }) => curve);
    writeFileSync(
      `${REPORT}fleet-${pods.replace(/\D/g, '')}.svg`,
      fleetChart(`${pods} with 20 secrets each`, own),
    );
  }
  return {
    checks: curves
      .filter(({ curve }) => curve.scenario.mustHold)
      .map(({ pods, curve }) =>
        atMost(LIMIT, `${pods}, ${curve.scenario.name}: peak requests per 10 s`, curve.peak),
      ),
    details: Object.assign({}, ...curves.map(({ pods, curve }) => detailsOf(pods, curve))),
  };
}

function detailsOf(pods: string, { scenario, peak, windowsAbove, outcome }: Curve): Record<string, number> {
  const name = `${pods}, ${scenario.name}`;
  if (scenario.mustHold) return { [`${name}: refused requests`]: outcome.refused };
  return {
    [`${name}: peak requests per 10 s`]: peak,
    [`${name}: 10 s windows above the limit`]: windowsAbove,
    [`${name}: time until every pod has its secrets, s`]: outcome.allStartedAt / 1000,
  };
}
