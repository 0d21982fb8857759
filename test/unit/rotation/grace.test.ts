import { memory, rotating, SecretStore, secret } from 'hot-secrets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

async function harness() {
  const source = memory({ ca: 'ca-1', name: 'one' });
  const store = await SecretStore.open({
    secrets: { ca: secret.text('ca', { keepPreviousMs: 1000 }), name: 'name' },
    sources: [source],
  });
  const rotate = async (ca: string) => {
    source.set({ ca });
    await store.refresh();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { store, rotate };
}

describe('a resource built from previous values', () => {
  it('builds a resource again without each previous value when its grace period ends', async () => {
    const { store, rotate } = await harness();
    await using _ = store;
    const built: string[] = [];
    await using trust = rotating(store, {
      build: (s) => {
        built.push(s.revealWithPrevious('ca').join('+'));
        return built.at(-1);
      },
    });
    await trust.ready;
    for (const ca of ['ca-2', 'ca-3']) {
      await rotate(ca);
      await vi.advanceTimersByTimeAsync(400);
    }
    expect(built).toEqual(['ca-1', 'ca-2+ca-1', 'ca-3+ca-2+ca-1']);
    await vi.advanceTimersByTimeAsync(202);
    expect(built.at(-1)).toBe('ca-3+ca-2');
    await vi.advanceTimersByTimeAsync(402);
    expect(built.at(-1)).toBe('ca-3');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(built).toHaveLength(5);
    expect(trust.current).toBe('ca-3');
  });

  it('does not build again at the end of a grace period if no previous value was read, or after close', async () => {
    const { store, rotate } = await harness();
    await using _ = store;
    let builds = 0;
    const build = (read: () => unknown) => {
      builds += 1;
      return read();
    };
    await using current = rotating(store, { build: (s) => build(() => s.reveal('ca')) });
    const closed = rotating(store, { build: (s) => build(() => s.revealWithPrevious('ca')) });
    await Promise.all([current.ready, closed.ready]);
    await rotate('ca-2');
    expect(builds).toBe(4);
    await closed.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(builds).toBe(4);
  });

  it('retries until a build without previous values succeeds, and serves the old resource meanwhile', async () => {
    const { store, rotate } = await harness();
    await using _ = store;
    let refuse = 0;
    await using trust = rotating(store, {
      build: (s) => s.revealWithPrevious('ca').join('+'),
      verify: () => {
        if (refuse > 0) {
          refuse -= 1;
          throw new Error('not yet');
        }
      },
    });
    trust.on('rejected', () => {});
    await trust.ready;
    await rotate('ca-2');
    refuse = 2;
    await vi.advanceTimersByTimeAsync(1001);
    expect(trust.current).toBe('ca-2+ca-1');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(trust.current).toBe('ca-2');
  });
});
