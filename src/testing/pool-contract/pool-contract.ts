import assert from 'node:assert/strict';
import type { ContractCase } from '../source-contract';
import { BAD_DAY_RULES } from './bad-day-rules';
import { CREDENTIAL_RULES } from './credential-rules';
import type { PoolAbility, PoolHarness } from './harness';
import { withStage } from './stage';
import { USE_RULES } from './use-rules';

const RULES = [...CREDENTIAL_RULES, ...USE_RULES, ...BAD_DAY_RULES];

/** One case of `poolContract`. */
export interface PoolCase extends ContractCase {
  /** Why the case is skipped, as the harness says; undefined if it runs. Its name says so, too. */
  readonly skipped: string | undefined;
  /** A limit for test runners that need one, in milliseconds. A case that fails may need most of it. */
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 90_000;

/** What the server of a harness must have for an ability. The others are abilities of the pool. */
const FUNCTIONS = {
  lock: ['lock', 'unlock'],
  killSessions: ['killSessions'],
  limit: ['limit'],
  restart: ['stop', 'start'],
  transfer: [],
  drainTimeout: [],
} as const satisfies Record<PoolAbility, readonly string[]>;

/**
 * What a pool keeps to when its credential rotates, as test cases for any test runner: no call fails or hangs, old sessions
 * end, few logins are refused, transactions are whole. The cases run against a real server, one after another. A case that
 * needs what the harness cannot do is listed as skipped.
 *
 * @example
 * ```ts
 * import { poolContract } from 'hot-secrets/testing';
 *
 * describe('my pool keeps the contract of pools', () => {
 *   for (const one of poolContract(harness)) {
 *     (one.skipped === undefined ? it : it.skip)(one.name, one.run, one.timeoutMs);
 *   }
 * });
 * ```
 */
export function poolContract(harness: PoolHarness): readonly PoolCase[] {
  const { cannot = {} } = harness;
  return RULES.map(({ name, needs = [], check }) => {
    const lacking = needs.find((ability) => cannot[ability] !== undefined);
    const skipped = lacking === undefined ? undefined : `no ${lacking}: ${cannot[lacking]}`;
    return {
      name: skipped === undefined ? name : `${name} (skipped: ${skipped})`,
      skipped,
      timeoutMs: TIMEOUT_MS,
      run: async () => {
        assert.ok(skipped === undefined, `this case is skipped: ${skipped}`);
        await withStage(harness, (stage) => {
          for (const ability of needs) {
            const missing = FUNCTIONS[ability].find((one) => stage.server[one] === undefined);
            assert.ok(
              missing === undefined,
              `the server of the harness lacks ${missing}(): add it, or set cannot.${ability}`,
            );
          }
          return check(stage);
        });
      },
    };
  });
}
