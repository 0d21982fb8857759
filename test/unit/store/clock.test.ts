import { memory, rotating, SecretStore, secret } from 'hot-secrets';
import { healthHandler } from 'hot-secrets/http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../support/wait-for';

const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Sets the date of the machine, as NTP does. The clock that only goes forward does not change. */
function jump(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

async function harness(keepPreviousMs: number) {
  const source = memory({ key: 'k1' });
  const store = await SecretStore.open({
    secrets: { key: secret.text('key', { keepPreviousMs }) },
    sources: [{ ...source, maxStalenessMs: 60_000 }],
  });
  const rotate = async (key: string) => {
    source.set({ key });
    await store.refresh();
  };
  return { store, rotate };
}

describe('a date of the machine that jumps', () => {
  it.each([HOUR_MS, -HOUR_MS, 100_000 * HOUR_MS])(
    'leaves ages, status and health as they are when it jumps by %d ms',
    async (ms) => {
      const { store } = await harness(0);
      await using _ = store;
      const handler = healthHandler(store, { stale: 'fail' });
      for (let jumps = 0; jumps < 3; jumps += 1) {
        jump(ms);
        expect(store.health().status).toBe('ok');
        expect((await handler(new Request('http://localhost/'))).status).toBe(200);
        const { secrets, sources } = store.report();
        for (const age of [secrets[0]?.ageMs, sources[0]?.lastRefreshAgeMs]) {
          expect(age).toBeGreaterThanOrEqual(0);
          expect(age).toBeLessThan(60_000);
        }
      }
    },
  );

  it('keeps a previous value for its grace period when the date jumps forward, and gives the end by the new date', async () => {
    const { store, rotate } = await harness(60_000);
    await using _ = store;
    for (const [key, previous] of [
      ['k2', ['k1']],
      ['k3', ['k2', 'k1']],
      ['k4', ['k3', 'k2', 'k1']],
    ] as const) {
      await rotate(key);
      jump(HOUR_MS);
      expect(store.revealWithPrevious('key')).toEqual([key, ...previous]);
      const left = (store.graceEndsAt('key')?.getTime() ?? Number.NaN) - Date.now();
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(60_000);
    }
  });

  it('returns no previous value again when the date jumps back after its grace period', async () => {
    const { store, rotate } = await harness(20);
    await using _ = store;
    for (const key of ['k2', 'k3', 'k4']) {
      await rotate(key);
      await waitFor(() => store.revealWithPrevious('key').length === 1);
      jump(-HOUR_MS);
      expect(store.revealWithPrevious('key')).toEqual([key]);
      expect(store.graceEndsAt('key')).toBeUndefined();
    }
  });

  it('builds a resource again at the end of a grace period when the date jumps back within it', async () => {
    const { store, rotate } = await harness(200);
    await using _ = store;
    const built: string[] = [];
    await using pool = rotating(store, {
      build: async (snapshot) => {
        built.push(snapshot.revealWithPrevious('key').join('+'));
        jump(-HOUR_MS);
        return {};
      },
    });
    await pool.ready;
    await rotate('k2');
    await waitFor(() => built.at(-1) === 'k2');
    expect(built).toEqual(['k1', 'k2+k1', 'k2']);
  });
});
