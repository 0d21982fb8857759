import { environment, memory, SecretStore, type Source, type SourceListener, secret } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { deferred } from '../../support/deferred';
import { record } from '../../support/store-log';

/** A memory source that hints and fails on request, and holds its reads. */
function scripted(name: string, values: Readonly<Record<string, string>>) {
  const inner = memory(values);
  let listener: SourceListener | undefined;
  let gate: Promise<void> = Promise.resolve();
  let down = false;
  const source: Source = {
    ...inner,
    name,
    async read(request) {
      await gate;
      if (down) throw new Error('down');
      return inner.read(request);
    },
    watch(next) {
      listener = next;
      return () => {};
    },
  };
  return {
    source,
    set: inner.set.bind(inner),
    hint: () => listener?.hint('watch'),
    fail: (state: boolean) => {
      down = state;
    },
    hold(until: Promise<void>) {
      gate = until;
    },
  };
}

describe('an error about a higher source', () => {
  it('reports recovery when a higher source drops its bad value, by the hint of that source alone', async () => {
    const mount = scripted('mount', {});
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mount.source, environment({ TOKEN: 'env' })],
    });
    const log = record(store);
    for (const round of [1, 2, 3]) {
      mount.set({ token: '' });
      mount.hint();
      await expect.poll(() => log.errors.length).toBe(round);
      mount.set({ token: undefined });
      mount.hint();
      await expect.poll(() => log.recovered.length).toBe(round);
      expect([store.health().status, store.reveal('token')]).toEqual(['ok', 'env']);
    }
  });
});

describe('a value below a source that failed', () => {
  it('takes a value below a failed source once that source recovers, by its hint alone', async () => {
    const vault = scripted('vault', { user: 'u' });
    const sources = [memory({ user: 'u' }), vault.source, environment({ EXTRA: 'e' })];
    vault.fail(true);
    await using store = await SecretStore.open({
      secrets: { user: 'user', extra: secret.text('extra').optional() },
      sources,
      on: { error: () => {} },
    });
    expect(store.reveal('extra')).toBeUndefined();
    vault.fail(false);
    vault.hint();
    await expect.poll(() => store.reveal('extra')).toBe('e');
    expect(store.health().status).toBe('ok');
  });
});

describe('two sources that bad values hold back', () => {
  it('reads at most twice after a hint while bad values hold two sources back', async () => {
    const sources = ['first', 'second'].map((name) => scripted(name, { [`${name}-user`]: 'u' }));
    let reads = 0;
    const counted = sources.map(
      ({ source }): Source => ({
        ...source,
        read(request) {
          reads += 1;
          return source.read(request);
        },
      }),
    );
    await using store = await SecretStore.open({
      secrets: {
        firstUser: 'first-user',
        secondUser: 'second-user',
        firstExtra: secret.text('first-extra').optional(),
        secondExtra: secret.text('second-extra').optional(),
      },
      sources: counted,
      on: { error: () => {} },
    });
    for (const [index, name] of ['first', 'second'].entries()) {
      sources[index]?.set({ [`${name}-user`]: '', [`${name}-extra`]: 'waits' });
    }
    await store.refresh();
    const before = reads;
    sources[0]?.hint();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(reads - before).toBeLessThanOrEqual(2);
    for (const [index, name] of ['first', 'second'].entries())
      sources[index]?.set({ [`${name}-user`]: 'u2' });
    await store.refresh();
    expect([store.reveal('firstExtra'), store.reveal('secondExtra')]).toEqual(['waits', 'waits']);
  });
});

describe('a source that fails right after it was read well', () => {
  it('does not serve a vanished name with a name that appeared in the same reading', async () => {
    const gate = deferred<void>();
    const first = scripted('first', { token: 't1' });
    const slow = scripted('slow', {});
    await using store = await SecretStore.open({
      sources: [first.source, slow.source],
      on: { error: () => {} },
    });
    slow.hold(gate.promise);
    first.set({ token: undefined, other: 'o2' });
    const refreshing = store.refresh();
    await new Promise((resolve) => setTimeout(resolve, 10));
    first.fail(true);
    first.hint();
    await new Promise((resolve) => setTimeout(resolve, 10));
    gate.resolve();
    await refreshing;
    expect([...store.names()]).not.toEqual(['token', 'other']);
  });
});

describe('a hint while the store opens', () => {
  it('waits for a slow source at open when another one hints meanwhile, and emits no change', async () => {
    const gate = deferred<void>();
    const quick = scripted('quick', { user: 'u1' });
    const slow = scripted('slow', { token: 'from-slow' });
    slow.hold(gate.promise);
    const heard: string[] = [];
    const opening = SecretStore.open({
      secrets: { user: 'user', token: 'token' },
      sources: [quick.source, slow.source, environment({ TOKEN: 'from-env' })],
      on: { change: ({ trigger }) => heard.push(trigger) },
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    quick.hint();
    // Longer than a refresh waits for a slow source.
    await new Promise((resolve) => setTimeout(resolve, 400));
    gate.resolve();
    await using store = await opening;
    expect([store.reveal('token'), store.get('token').source, heard]).toEqual(['from-slow', 'slow', []]);
  });
});

describe('bytes that a source detaches', () => {
  it('reports detached bytes for their secret alone, and recovers at the next refresh', async () => {
    const other = memory({ other: 'o1' });
    const inner = memory({ user: 'u1' });
    let detach = false;
    const source: Source = {
      ...inner,
      async read(request) {
        const result = await inner.read(request);
        const reading = result.readings.get('user');
        if (detach && reading?.status === 'found') {
          structuredClone(reading.bytes, { transfer: [reading.bytes.buffer as ArrayBuffer] });
        }
        return result;
      },
    };
    await using store = await SecretStore.open({
      secrets: { user: 'user', other: 'other' },
      sources: [source, other],
    });
    const log = record(store);
    detach = true;
    inner.set({ user: 'u2' });
    other.set({ other: 'o2' });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('other')]).toEqual(['u1', 'o2']);
    expect(log.errors.map(({ secret }) => secret)).toEqual(['user']);
    detach = false;
    other.set({ other: 'o3' });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('other'), log.recovered.length]).toEqual(['u2', 'o3', 1]);
  });
});

describe('a refresh', () => {
  it('emits the change of a refresh whose trigger is named "open"', async () => {
    const source = memory({ user: 'u1' });
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const log = record(store);
    source.set({ user: 'u2' });
    await store.refresh({ trigger: 'open' });
    expect(log.names()).toEqual(['user']);
  });
});
