import { SecretsError } from '../../errors';
import { delay } from '../../internal/time';
import type { Lookup } from '../../secret/lookup';
import { type ReadOptions, type Round, readRound } from './read-vault';
import { OUTAGE } from './vault-errors';

const MOST_ROUNDS = 6;
/** Of a pair that is being written, the other half comes within this. */
const SETTLE_MS = 1_000;

/**
 * Rounds until what was found existed together: mostly one. Where something was written just now, until two rounds agree,
 * so that of two secrets written one after the other no half is taken.
 * @throws `VAULT_UNSTABLE`, and what `readRound` throws.
 */
export async function readSettled(
  lookups: readonly Lookup[],
  since: string | undefined,
  options: ReadOptions,
): Promise<Round> {
  let round = await readRound(lookups, options);
  for (let more = 1; round.moving && round.revision !== since; more += 1) {
    if (more === MOST_ROUNDS) throw unstable(options.vaultUrl);
    await delay(SETTLE_MS, options.signal);
    const again = await readRound(lookups, options);
    if (again.revision === round.revision) return again;
    round = again;
  }
  return round;
}

function unstable(vaultUrl: string): SecretsError {
  return new SecretsError('VAULT_UNSTABLE', `secrets of the vault ${vaultUrl} changed during every look`, {
    source: 'key-vault',
    next: `Find out what writes to it without pause. ${OUTAGE}`,
  });
}
