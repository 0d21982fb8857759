import { setImmediate } from 'node:timers/promises';
import { memory, SecretStore, type Source, secret } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { record } from '../../support/store-log';

/** Two memory sources. `fail` makes the higher one throw at every read. */
function layers(upper: Record<string, string>, lower: Record<string, string>) {
  const above = memory(upper);
  const below = memory(lower);
  let broken = false;
  const source: Source = {
    ...above,
    name: 'above',
    read(request) {
      if (broken) throw new Error('a message with marker-value in it');
      return above.read(request);
    },
  };
  const fail = (state: boolean) => {
    broken = state;
  };
  return { above, below, sources: [source, below], fail };
}

const numbers = z.object({ n: z.number() });
const CONFIG = { config: secret.json('config', numbers), user: 'user' };

describe('a bad value in a higher source', () => {
  it('rotates a secret from the source that serves it while a higher source has a bad value', async () => {
    const { above, below, sources } = layers({}, { config: '{"n":1}', user: 'u1' });
    await using store = await SecretStore.open({ secrets: CONFIG, sources });
    const log = record(store);
    above.set({ config: 'not json' });
    await store.refresh();
    for (const n of [2, 3, 4]) {
      below.set({ config: `{"n":${n}}` });
      await store.refresh();
      expect([store.reveal('config'), store.get('config').source]).toEqual([{ n }, 'memory']);
    }
    expect(log.codes()).toEqual(['VALUE_NOT_JSON']);

    above.set({ config: '{"n":9}' });
    await store.refresh();
    expect([store.reveal('config'), store.get('config').source]).toEqual([{ n: 9 }, 'above']);
    expect(log.recovered).toHaveLength(1);
  });

  it('keeps a bad value of a higher source in health while only the lower source is refreshed', async () => {
    const { above, below, sources } = layers({}, { config: '{"n":1}', user: 'u1' });
    await using store = await SecretStore.open({ secrets: CONFIG, sources });
    const log = record(store);
    above.set({ config: 'not json' });
    await store.refresh();
    for (const n of [2, 3, 4]) {
      // The watch of this source hints, so only it is refreshed.
      below.set({ config: `{"n":${n}}` });
      await expect.poll(() => store.reveal('config')).toEqual({ n });
    }
    expect([log.codes(), log.recovered]).toEqual([['VALUE_NOT_JSON'], []]);
    expect(store.health().status).toBe('degraded');
  });

  it('moves all names of a higher source up together, once its values are good', async () => {
    const { above, sources } = layers({}, { config: '{"n":1}', user: 'u1' });
    await using store = await SecretStore.open({ secrets: CONFIG, sources });
    record(store);
    above.set({ config: '{"n":"two"}', user: 'u2' });
    await store.refresh();
    expect([store.reveal('config'), store.reveal('user')]).toEqual([{ n: 1 }, 'u1']);
    above.set({ config: '{"n":2}' });
    await store.refresh();
    expect([store.reveal('config'), store.reveal('user')]).toEqual([{ n: 2 }, 'u2']);
    expect(store.generation).toBe(2);
  });
});

describe('a source that fails as a whole', () => {
  it('keeps the values of a source that fails, and takes no value from below in its place', async () => {
    const { above, below, sources, fail } = layers({ user: 'u1' }, { user: 'below', config: '{"n":1}' });
    await using store = await SecretStore.open({
      secrets: { ...CONFIG, extra: secret.text('extra').optional() },
      sources,
    });
    const log = record(store);
    fail(true);
    above.set({ user: 'u2' });
    below.set({ user: 'b2', config: '{"n":2}', extra: 'e' });
    await store.refresh();
    await store.refresh();
    expect([store.reveal('user'), store.reveal('config')]).toEqual(['u1', { n: 2 }]);
    expect(store.has('extra'), 'what fails might have it').toBe(false);
    expect(log.codes()).toEqual(['SOURCE_FAILED']);
    expect(log.errors[0]?.message).not.toContain('marker-value');

    fail(false);
    await store.refresh();
    expect([store.reveal('user'), store.get('extra')?.source]).toEqual(['u2', 'memory']);
    expect(log.recovered.map(({ code }) => code)).toEqual(['SOURCE_FAILED']);
  });

  it('rejects open when a failed source may hold a required secret, but not for an optional one', async () => {
    const { sources, fail } = layers({}, { user: 'u1' });
    fail(true);
    await expect(SecretStore.open({ secrets: { user: 'user' }, sources })).rejects.toMatchObject({
      code: 'SOURCE_FAILED',
    });
    await using store = await SecretStore.open({
      secrets: { user: secret.text('user').optional() },
      sources,
    });
    expect(store.reveal('user')).toBeUndefined();
    fail(false);
    await store.refresh();
    expect(store.reveal('user')).toBe('u1');
  });
});

describe('the errors of a store', () => {
  it('rejects a failing open with its error, and emits no warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning');
    const opening = SecretStore.open({ secrets: { user: 'user' }, sources: [memory({ user: '' })] });
    await expect(opening).rejects.toMatchObject({ code: 'VALUE_EMPTY' });
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it('reports a bad value once, and another bad value again', async () => {
    const source = memory({ config: '{"n":1}', user: 'u' });
    await using store = await SecretStore.open({ secrets: CONFIG, sources: [source] });
    const log = record(store);
    for (const value of ['bad', 'bad', 'worse', 'worse', '{"n":"x"}']) {
      source.set({ config: value });
      await store.refresh();
      await store.refresh();
    }
    expect(log.codes()).toEqual(['VALUE_NOT_JSON', 'VALUE_NOT_JSON', 'VALUE_REFUSED']);
    expect(log.recovered).toEqual([]);
    source.set({ config: '{"n":1}' });
    await store.refresh();
    expect(log.recovered).toEqual(log.errors);
    expect([store.generation, log.changes]).toEqual([1, []]);
  });

  it('emits a process warning for an error without a listener, and for a listener that throws', async () => {
    // Warnings of earlier tests arrive late.
    await setImmediate();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const source = memory({ user: 'u1' });
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    source.set({ user: '' });
    await store.refresh();
    await expect.poll(() => warnings.length).toBe(1);
    expect(warnings[0]).toMatchObject({ name: 'HotSecretsWarning', code: 'VALUE_EMPTY' });

    store.on('error', () => {
      throw new Error('marker-of-a-listener');
    });
    source.set({ user: undefined });
    await store.refresh();
    await expect.poll(() => warnings.length).toBe(2);
    expect(warnings[1]).toMatchObject({ code: 'LISTENER_FAILED' });
    expect(warnings[1]?.message).not.toContain('marker-of-a-listener');
    process.off('warning', onWarning);
    expect(store.reveal('user')).toBe('u1');
  });
});
