import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefreshSoon } from '../../../src/store/refresh-soon';
import { countingStore, recordWarnings } from '../../support/http-stage';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function stage(pace: Partial<ConstructorParameters<typeof RefreshSoon>[2]> = {}) {
  const store = countingStore();
  const soon = new RefreshSoon(store, 'test', { minIntervalMs: 1_000, spreadMs: 0, ...pace });
  return { store, soon };
}

describe('RefreshSoon', () => {
  it('starts the first refresh at once', () => {
    const { store, soon } = stage();
    soon.request();
    expect(store.triggers).toEqual(['test']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('joins a request with the refresh that waits, never with the one that runs', async () => {
    const { store, soon } = stage({ minIntervalMs: 0 });
    store.held = true;
    for (let request = 0; request < 1_000; request += 1) soon.request();
    expect(store.triggers).toHaveLength(1);
    store.finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(store.triggers).toHaveLength(2);
    store.finish();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(store.triggers).toHaveLength(2);
  });

  it('keeps the minimum interval between refreshes, and never loses the last request of a flood', async () => {
    const { store, soon } = stage();
    const refreshes: number[] = [];
    for (let ms = 0; ms < 5_500; ms += 10) {
      const before = store.triggers.length;
      soon.request();
      await vi.advanceTimersByTimeAsync(10);
      if (store.triggers.length > before) refreshes.push(ms);
    }
    expect(refreshes).toHaveLength(6);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(store.triggers).toHaveLength(7);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(store.triggers).toHaveLength(7);
    soon.request();
    expect(store.triggers).toHaveLength(8);
  });

  it('delays a refresh by a random part of the spread', async () => {
    const random = vi.spyOn(Math, 'random');
    for (const part of [0.25, 0.5, 0.9]) {
      random.mockReturnValue(part);
      const { store, soon } = stage({ spreadMs: 60_000 });
      soon.request();
      soon.request();
      await vi.advanceTimersByTimeAsync(60_000 * part - 1);
      expect(store.triggers).toEqual([]);
      await vi.advanceTimersByTimeAsync(2);
      expect(store.triggers).toEqual(['test']);
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  it('warns about a refresh that fails, but not about a store that closed meanwhile', async () => {
    using warnings = recordWarnings();
    const { store, soon } = stage({ spreadMs: 1_000 });
    soon.request();
    store.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(warnings.codes()).toEqual([]);
    const broken = new RefreshSoon(
      {
        ...store,
        refresh: () => {
          throw new Error('marker-value');
        },
      },
      'test',
      { minIntervalMs: 0, spreadMs: 0 },
    );
    for (const _round of [1, 2]) {
      broken.request();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(warnings.codes()).toEqual(['SOURCE_FAILED', 'SOURCE_FAILED']);
    expect(warnings.text()).not.toContain('marker-value');
  });
});
