import { environment, memory, SecretStore, type Source, secret } from 'hot-secrets';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { record } from '../../support/store-log';

afterEach(() => {
  vi.useRealTimers();
});

describe('the report', () => {
  it('reports the source, the sources passed over, the age and the problem of each secret', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const source = memory({ user: 'u1' });
    await using store = await SecretStore.open({
      secrets: {
        user: 'user',
        key: secret.text('api-key', { env: ['API_KEY_NEW', 'API_KEY'] }),
        beta: secret.text('beta', { env: [] }).optional(),
      },
      sources: [source, environment({ API_KEY: 'k1' })],
    });
    record(store);
    vi.advanceTimersByTime(5000);
    source.set({ user: '' });
    await store.refresh();

    const { secrets, sources, generation } = store.report();
    expect(generation).toBe(1);
    expect(secrets).toEqual([
      {
        name: 'user',
        required: true,
        source: 'memory',
        origin: 'memory "user"',
        version: store.get('user').version,
        ageMs: 5000,
        passed: [],
        problem: 'VALUE_EMPTY',
        warnings: [],
      },
      expect.objectContaining({
        name: 'key',
        source: 'environment',
        origin: 'API_KEY',
        passed: [{ source: 'memory', looked: '"api-key"' }],
        problem: undefined,
      }),
      expect.objectContaining({
        name: 'beta',
        required: false,
        source: undefined,
        version: undefined,
        ageMs: undefined,
        passed: [
          { source: 'memory', looked: '"beta"' },
          { source: 'environment', looked: 'no variable' },
        ],
      }),
    ]);
    expect(sources.map(({ source, status, lastRefreshAgeMs }) => [source, status, lastRefreshAgeMs])).toEqual(
      [
        ['memory', 'ok', 0],
        ['environment', 'ok', 0],
      ],
    );
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [{ name: 'user', problem: 'VALUE_EMPTY' }],
    });
  });

  it('gives equal values equal versions, also after a rotation back to an earlier value', async () => {
    const source = memory({ one: 'same', two: 'same', three: 'other' });
    await using store = await SecretStore.open({
      secrets: { one: 'one', two: 'two', three: 'three' },
      sources: [source],
    });
    const versions = (['one', 'two', 'three'] as const).map((name) => store.get(name).version);
    expect(versions[0]).toBe(versions[1]);
    expect(versions[0]).not.toBe(versions[2]);
    source.set({ one: 'x' });
    await store.refresh();
    source.set({ one: 'same' });
    await store.refresh();
    expect(store.get('one').version).toBe(versions[1]);
  });
});

describe('the health of a source', () => {
  it('reports a failing source as degraded, as stale after maxStalenessMs, and as ok after a good read', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const usual = memory({ user: 'u1' });
    let broken = false;
    const source: Source = {
      ...usual,
      maxStalenessMs: 60_000,
      read: (request) => (broken ? Promise.reject(new Error('down')) : usual.read(request)),
    };
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    record(store);
    const statuses = async () => {
      await store.refresh();
      return [store.health().status, store.report().sources[0]?.status];
    };
    expect(await statuses()).toEqual(['ok', 'ok']);
    broken = true;
    expect(await statuses()).toEqual(['degraded', 'degraded']);
    vi.advanceTimersByTime(60_001);
    expect(await statuses()).toEqual(['stale', 'stale']);
    expect(store.report().sources[0]?.problems.map(({ code }) => code)).toEqual(['SOURCE_FAILED']);
    broken = false;
    expect(await statuses()).toEqual(['ok', 'ok']);
  });
});
