import type { PoolAbility } from './harness';
import { ACCOUNTS } from './harness';
import type { PoolStage } from './stage';

/** One rule that a pool keeps. */
export interface PoolRule {
  readonly name: string;
  readonly needs?: readonly PoolAbility[];
  check(stage: PoolStage): Promise<void>;
}

/** The connections of most pools, and the callers that share them. */
export const MAX = 6;
export const CALLERS = 12;
/** The refused logins that one outdated credential may cost. Servers lock accounts by counting them. */
export const MAX_REFUSED = 10;
export const QUERY_MS = 3;

/** A pause of a transfer, which lasts until `resume`. */
export function pauseOf() {
  let reach = () => {};
  let resume = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const over = new Promise<void>((resolve) => {
    resume = resolve;
  });
  return {
    reached,
    resume,
    wait: () => {
      reach();
      return over;
    },
  };
}

/** All balances: 0, apart from these. */
export function balancesOf(some: Readonly<Record<number, number>>): number[] {
  return Array.from({ length: ACCOUNTS }, (_, account) => some[account] ?? 0);
}
