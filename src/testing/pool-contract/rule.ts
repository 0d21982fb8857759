import { ACCOUNTS, type PoolAbility, type PoolUnderTest } from './harness';
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
export const QUERY_MS = 8;

/** A transfer that is paused in its middle. */
export interface PausedTransfer {
  /** Lets it continue. Resolves with `committed`, or with the message of its error. */
  resume(): Promise<string>;
}

/** Starts a transfer from account 0 to account 1. Resolves when it has reached its middle. */
export async function pausedTransfer(pool: Pick<PoolUnderTest, 'transfer'>): Promise<PausedTransfer> {
  let resume = () => {};
  const over = new Promise<void>((resolve) => {
    resume = resolve;
  });
  let outcome: Promise<string> | undefined;
  await new Promise<void>((resolve, reject) => {
    const pause = () => {
      resolve();
      return over;
    };
    outcome = pool.transfer(0, 1, pause).then(
      () => 'committed',
      (error: Error) => {
        reject(error);
        return error.message;
      },
    );
  });
  return {
    resume() {
      resume();
      return outcome as Promise<string>;
    },
  };
}

/** All balances: 0, apart from these. */
export function balancesOf(some: Readonly<Record<number, number>>): number[] {
  return Array.from({ length: ACCOUNTS }, (_, account) => some[account] ?? 0);
}
