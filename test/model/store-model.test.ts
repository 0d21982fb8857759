import * as fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeScene, KINDS, type Operation, scenes } from './operations';
import { StoreRun } from './store-run';

const SEED = Number(process.env.MODEL_SEED ?? 20_261_127);
const OPERATIONS = Number(process.env.MODEL_OPERATIONS ?? 10_000);
const SCENES_A_ROUND = 20;

const counts = new Map<Operation['kind'], number>(KINDS.map((kind) => [kind, 0]));
let warnings: unknown[] = [];

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  // The store reports some failed listeners as process warnings only.
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(warning));
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  warnings = [];
});

afterAll(() => {
  const summary = [...counts].map(([kind, count]) => `${kind} ${count}`).join(', ');
  console.log(`${sum()} operations with seed ${SEED}: ${summary}`);
});

const sum = () => [...counts.values()].reduce((total, count) => total + count, 0);

/** Runs random scenes until enough operations ran. Throws with the smallest scene that breaks an invariant. */
async function explore(declared: boolean, operations: number): Promise<void> {
  const enough = sum() + operations;
  for (let round = 0; sum() < enough; round += 1) {
    const property = fc.asyncProperty(scenes(declared), async (scene) => {
      const run = new StoreRun(scene);
      await run.run();
      for (const kind of run.executed) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    });
    const seed = SEED + round;
    const result = await fc.check(property, { seed, numRuns: SCENES_A_ROUND });
    if (!result.failed) continue;
    const [scene] = result.counterexample ?? [];
    const cause = result.errorInstance instanceof Error ? result.errorInstance : undefined;
    throw new Error(
      [
        `${cause?.message}`,
        `Again: MODEL_SEED=${seed} npx vitest run test/model`,
        `Shrunk ${result.numShrinks} times to:`,
        scene === undefined ? 'nothing' : describeScene(scene),
      ].join('\n'),
      { cause },
    );
  }
}

describe('a store under random operations', () => {
  const timeout = 120_000 + OPERATIONS * 20;

  it(
    'keeps every invariant of a store with declared secrets under random operations',
    () => explore(true, OPERATIONS / 2),
    timeout,
  );

  it(
    'keeps every invariant of a store in discovery under random operations',
    () => explore(false, OPERATIONS / 2),
    timeout,
  );

  it('runs every kind of random operation at least once', () => {
    expect([...counts].filter(([, count]) => count === 0).map(([kind]) => kind)).toEqual([]);
  });
});
