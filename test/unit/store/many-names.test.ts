import { setImmediate } from 'node:timers';
import { memory, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount, type TestMountLayout } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';

const MANY = 500;

function contentOf(value: string, count = MANY): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, value]));
}

/** Some names from the whole range: all of them would take longer than the refresh. */
const SAMPLE = ['key-0', 'key-73', 'key-149'];

/** Returns the distinct values that the store serves, in each turn of the event loop that `run` leaves to others. */
async function turnsDuring(
  store: { reveal(name: string): unknown },
  run: () => Promise<unknown>,
): Promise<unknown[][]> {
  const turns: unknown[][] = [];
  let running = true;
  const next = () => {
    if (!running) return;
    turns.push([...new Set(SAMPLE.map((name) => store.reveal(name)))]);
    setImmediate(next);
  };
  setImmediate(next);
  await run();
  running = false;
  return turns;
}

describe('many names', () => {
  it.each<TestMountLayout>(['kubernetes', 'plain'])(
    'leaves turns to others while it reads hundreds of files, in the layout %s, and never shows two generations',
    async (layout) => {
      await using mount = await createTestMount(contentOf('first'), { layout });
      const source = mountedFiles(mount.path, { pollIntervalMs: 60_000 });
      await using store = await SecretStore.open({ sources: [{ ...source, watch: () => () => {} }] });
      for (const value of ['second', 'third', 'fourth']) {
        await mount.rotate(contentOf(value));
        const before = store.generation;
        const turns = await turnsDuring(store, () => store.refresh());
        expect(store.generation).toBe(before + 1);
        expect(store.names().filter((name) => store.reveal(name) !== value)).toEqual([]);
        expect(turns.length).toBeGreaterThanOrEqual(4);
        expect(turns.every((values) => values.length === 1)).toBe(true);
      }
    },
  );

  it('leaves turns to others while it decodes values that take long, and serves the old ones until all are decoded', async () => {
    const names = Object.keys(contentOf('', 150));
    const source = memory(contentOf('"first"', 150));
    await using store = await SecretStore.open({
      sources: [source],
      secrets: Object.fromEntries(names.map((name) => [name, secret.json(name, slow)])),
    });
    let served = 'first';
    for (const value of ['second', 'third', 'fourth']) {
      const before = store.generation;
      const turns = await turnsDuring(store, async () => {
        source.set(contentOf(JSON.stringify(value), 150));
        await store.refresh();
      });
      expect(store.generation).toBe(before + 1);
      // 150 values of 2 ms each, with a turn after each 8 ms. Then the second refresh finds the same values again.
      expect(
        turns.filter(([one, ...others]) => one === served && others.length === 0).length,
      ).toBeGreaterThan(20);
      expect(turns.filter((values) => values.length !== 1)).toEqual([]);
      served = value;
    }
  });
});

/** A schema that works for 2 ms. */
const slow = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate(value: unknown) {
      const end = performance.now() + 2;
      while (performance.now() < end);
      return { value: value as string };
    },
  },
};
