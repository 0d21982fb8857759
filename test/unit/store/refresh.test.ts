import { memory, SecretStore, type Source } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { type Deferred, deferred } from '../../support/deferred';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

/** A source whose reads wait while it is held. */
function holding(values: Readonly<Record<string, string>>) {
  const inner = memory(values);
  let held: Deferred<void> | undefined;
  let reads = 0;
  let most = 0;
  let now = 0;
  const source: Source = {
    ...inner,
    name: 'slow',
    async read(request) {
      reads += 1;
      now += 1;
      most = Math.max(most, now);
      const result = await inner.read(request);
      await held?.promise;
      now -= 1;
      return result;
    },
  };
  return {
    source,
    set: inner.set.bind(inner),
    hold() {
      held = deferred();
    },
    release() {
      held?.resolve();
      held = undefined;
    },
    get reads() {
      return reads;
    },
    get most() {
      return most;
    },
  };
}

/** The source without its watch, so that it never hints. */
function withoutHints({ watch: _, ...rest }: Source): Source {
  return rest;
}

async function stage(as = (source: Source): Source => source) {
  const fast = memory({ quick: 'q-0' });
  const slow = holding({ late: 'l-0' });
  const secrets = { quick: 'quick', late: 'late' };
  const store = await SecretStore.open({ secrets, sources: [as(fast), as(slow.source)] });
  return { fast, slow, store, log: record(store) };
}

describe('a slow source', () => {
  it('rotates a fast source during the read of a slow one, and makes one generation of the late answer', async () => {
    const { fast, slow, store, log } = await stage();
    await using _ = store;
    slow.hold();
    slow.set({ late: 'l-1' });
    fast.set({ quick: 'q-1' });
    const refreshing = store.refresh();
    for (const round of [1, 2, 3]) {
      fast.set({ quick: `q-${round}` });
      await waitFor(() => store.reveal('quick') === `q-${round}`);
    }
    expect(store.reveal('late')).toBe('l-0');
    slow.release();
    await refreshing;
    expect(store.reveal('late')).toBe('l-1');
    expect(log.names().filter((name) => name === 'late')).toHaveLength(1);
    expect(log.errors).toEqual([]);
  });

  it('reads a slow source once at a time, and once more for all requests that came meanwhile', async () => {
    const { slow, store } = await stage();
    await using _ = store;
    slow.hold();
    const first = store.refresh();
    await waitFor(() => slow.reads === 2);
    slow.set({ late: 'l-1' });
    const others = [store.refresh(), store.refresh(), store.refresh()];
    slow.release();
    await first;
    await Promise.all(others);
    expect(store.reveal('late')).toBe('l-1');
    expect([slow.reads, slow.most]).toEqual([3, 1]);
  });

  it('makes one generation of all sources when a slow one answers soon', async () => {
    const { fast, slow, store, log } = await stage(withoutHints);
    await using _ = store;
    for (const round of [1, 2, 3]) {
      slow.hold();
      slow.set({ late: `l-${round}` });
      fast.set({ quick: `q-${round}` });
      setTimeout(() => slow.release(), 30);
      await store.refresh();
      expect(log.changes[round - 1]?.changes.map(({ name }) => name)).toEqual(['quick', 'late']);
    }
    expect(log.changes).toHaveLength(3);
  });

  it('does not read a slow source again after close', async () => {
    const { slow, store } = await stage();
    slow.hold();
    const refreshing = store.refresh();
    await waitFor(() => slow.reads === 2);
    await store.close();
    slow.release();
    await refreshing;
    expect(slow.reads).toBe(2);
  });
});
