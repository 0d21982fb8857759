import { seededRandom } from '../../test/support/seeded-random';
import { type FleetOutcome, type FleetSettings, runFleet } from '../fleet/key-fleet';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

const TOKENS = {
  full: { mounts: 1_000_000, vault: 100_000 },
  short: { mounts: 60_000, vault: 20_000 },
};
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;

/** Ten replicas, which read a new key up to 150 s apart, and restart. */
const FLEET: Omit<FleetSettings, 'tokens' | 'isVault'> = {
  replicas: 10,
  spanMs: 28 * 60 * MINUTE_MS,
  rotateEveryMs: 60 * MINUTE_MS,
  skewMs: 150 * SECOND_MS,
  signAfterMs: 150 * SECOND_MS,
  verifyForMs: 10 * MINUTE_MS,
  restartEveryMs: 20 * MINUTE_MS,
};

/** Counts the tokens that a replica of a simulated fleet refuses while its key rotates, with a keyring and without. */
export async function keyringFigure({ size }: FigureOptions): Promise<FigureResult> {
  const { mounts, vault } = TOKENS[size];
  const outcomes: Readonly<Record<string, FleetOutcome>> = {
    mounts: await runFleet({ ...FLEET, tokens: mounts, isVault: false }, seededRandom(1)),
    vault: await runFleet({ ...FLEET, tokens: vault, isVault: true }, seededRandom(2)),
  };
  return {
    checks: Object.entries(outcomes).map(([source, { verified, refused }]) =>
      atMost(0, `${source}: refused of ${verified} tokens`, refused.keyring),
    ),
    details: Object.assign({}, ...Object.entries(outcomes).map(([source, one]) => detailsOf(source, one))),
  };
}

function detailsOf(source: string, { refused, rotations, restarts }: FleetOutcome): Record<string, number> {
  return {
    [`${source}: rotations`]: rotations,
    [`${source}: restarts`]: restarts,
    [`${source}: refused, the newest key signs and verifies`]: refused.newest,
    [`${source}: refused, the newest signs, it and the previous in memory verify`]: refused.memory,
    [`${source}: refused, the newest signs, it and the previous in files verify`]: refused.files,
  };
}
