import { LIMIT, type Outcome, type Scenario, simulate, WINDOW_MS } from './simulation';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SECRETS = 20;

/** A named scenario. Only requests after `from` count; before that, the fleet settles. */
export interface NamedScenario extends Scenario {
  readonly name: string;
  readonly from: number;
  /** Whether the fleet must stay below the limit. Otherwise the figure shows by how much and for how long it does not. */
  readonly mustHold: boolean;
}

interface Fleet {
  readonly pods: number;
  readonly refreshIntervalMs?: number;
  /** The time over which a restart spreads its starts, and a push its refreshes. */
  readonly spreadMs: number;
}

/** A thousand pods with the default settings. They start within a minute, which is fast for a rollout. */
export const thousand: Fleet = { pods: 1_000, spreadMs: MINUTE };
/** Ten thousand pods, with settings that keep them below the limit. */
export const tenThousand: Fleet = { pods: 10_000, refreshIntervalMs: HOUR, spreadMs: 15 * MINUTE };

export function scenariosOf({ pods, refreshIntervalMs, spreadMs }: Fleet): NamedScenario[] {
  const interval = refreshIntervalMs === undefined ? {} : { refreshIntervalMs };
  const running = { pods, secrets: SECRETS, durationMs: 4 * HOUR, startWithinMs: HOUR, ...interval };
  const at = 3 * HOUR;
  return [
    { ...running, name: 'steady', from: 2 * HOUR, mustHold: true },
    { ...running, name: 'restart', startWithinMs: spreadMs, durationMs: HOUR, from: 0, mustHold: true },
    {
      ...running,
      name: 'after a minute of 429',
      storm: { from: at, to: at + MINUTE },
      from: at,
      mustHold: true,
    },
    { ...running, name: 'push', push: { at, spreadMs }, from: at, mustHold: true },
    { ...running, name: 'simultaneous start', startWithinMs: 0, durationMs: HOUR, from: 0, mustHold: false },
  ];
}

/** The result of a scenario from `from` on. */
export interface Curve {
  readonly scenario: NamedScenario;
  readonly perWindow: readonly number[];
  readonly peak: number;
  readonly windowsAbove: number;
  readonly outcome: Outcome;
}

export function run(scenario: NamedScenario): Curve {
  const outcome = simulate(scenario);
  const perWindow = outcome.perWindow.slice(scenario.from / WINDOW_MS);
  const windowsAbove = perWindow.filter((requests) => requests > LIMIT).length;
  return { scenario, perWindow, peak: Math.max(...perWindow), windowsAbove, outcome };
}
