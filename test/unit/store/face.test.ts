import { once } from 'node:events';
import { inspect } from 'node:util';
import { isSecretsError, memory, SecretStore, SecretsError, type Source } from 'hot-secrets';
import { describe, expect, it, vi } from 'vitest';
import { observedOf } from '../../../src/observe/observed';
import { record } from '../../support/store-log';

const invalid = expect.objectContaining({ code: 'OPTION_INVALID' });

async function opened() {
  const source = memory({ user: 'u1' });
  const store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
  const rotate = async (user: string) => {
    source.set({ user });
    await store.refresh();
  };
  return { source, store, rotate };
}

describe('the listeners of a store', () => {
  it('stops a listener by the function that `on` returns, by `off` and by a signal', async () => {
    const { store, rotate } = await opened();
    await using _ = store;
    const heard: string[] = [];
    const listener = (name: string) => () => void heard.push(name);
    const off = listener('off');
    const controller = new AbortController();
    const stop = store.on('change', listener('stop'));
    store.on('change', off);
    store.on('change', listener('signal'), { signal: controller.signal });
    store.on('change', listener('never'), { signal: AbortSignal.abort() });
    await rotate('u2');
    stop();
    store.off('change', off);
    controller.abort();
    await rotate('u3');
    expect(heard).toEqual(['stop', 'off', 'signal']);
  });

  it('delivers one event to `once` and to `events.once` of Node, which rejects on an error', async () => {
    const { store, source, rotate } = await opened();
    await using _ = store;
    const heard = vi.fn();
    store.once('change', heard);
    await rotate('u2');
    await rotate('u3');
    expect(heard).toHaveBeenCalledOnce();
    const next = once(store as never, 'change');
    source.set({ user: 'u4' });
    expect(await next).toEqual([expect.objectContaining({ generation: 4 })]);
    const failing = once(store as never, 'close');
    source.set({ user: '' });
    await expect(failing).rejects.toMatchObject({ code: 'VALUE_EMPTY' });
  });

  it('reports problems during open to the listeners in the option `on`', async () => {
    const warn = vi.spyOn(process, 'emitWarning');
    const heard: string[] = [];
    const source: Source = {
      ...memory({ user: 'u1' }),
      watch(listener) {
        listener.problem(new SecretsError('WATCH_UNAVAILABLE', 'no watch'));
        return () => {};
      },
    };
    await using store = await SecretStore.open({
      secrets: { user: 'user' },
      sources: [source],
      on: { error: ({ code }) => heard.push(code), change: undefined },
    });
    expect([heard, store.generation]).toEqual([['WATCH_UNAVAILABLE'], 1]);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  it('delivers an error of a resource to the error listeners of its store', async () => {
    const { store } = await opened();
    await using _ = store;
    const error = new SecretsError('CREDENTIAL_REFUSED', 'refused', { resource: 'pool' });
    expect(observedOf(store).tellError(error)).toBe(false);
    const log = record(store);
    expect(observedOf(store).tellError(error)).toBe(true);
    expect(log.errors).toEqual([error]);
  });
});

describe('a store', () => {
  it('opens an instance of SecretStore that prints its name and generation, without a value', async () => {
    const { store } = await opened();
    await using _ = store;
    expect(store).toBeInstanceOf(SecretStore);
    expect({} instanceof SecretStore).toBe(false);
    expect(inspect(store)).toBe("SecretStore { name: 'secrets', generation: 1, secrets: 1 }");
    expect(String(store)).toBe('[object SecretStore]');
    await store.close();
    expect(inspect(store)).toBe("SecretStore { name: 'secrets', closed, secrets: 1 }");
  });

  it('returns dates that a caller can change without affecting the store', async () => {
    const expiresOn = new Date('2030-01-01');
    const bytes = () => new TextEncoder().encode('value');
    const source: Source = {
      ...memory(),
      async read({ lookups }) {
        const found = () => ({
          status: 'found' as const,
          bytes: bytes(),
          origin: 'here',
          attributes: { expiresOn, tags: {} },
        });
        const readings = new Map(lookups.map(({ name }) => [name, found()]));
        return { unchanged: false, revision: undefined, readings };
      },
    };
    await using store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
    const snapshot = store.snapshot();
    for (const date of [
      store.get('user').loadedAt,
      store.get('user').attributes.expiresOn,
      store.health().expiries[0]?.expiresAt,
      snapshot.takenAt,
      expiresOn,
    ]) {
      date?.setTime(0);
    }
    expect(store.get('user').loadedAt.getTime()).toBeGreaterThan(0);
    expect(store.get('user').attributes.expiresOn).toEqual(new Date('2030-01-01'));
    expect(store.health().expiries[0]?.expiresAt).toEqual(new Date('2030-01-01'));
    expect(snapshot.takenAt.getTime()).toBeGreaterThan(0);
  });
});

describe('SecretsError', () => {
  it('keeps its message in JSON, where other errors lose theirs', () => {
    const error = new SecretsError('MOUNT_MISSING', 'gone', { source: 'mounted-files', next: 'Mount it.' });
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: {
        name: 'SecretsError',
        code: 'MOUNT_MISSING',
        message: 'gone. Mount it.',
        source: 'mounted-files',
      },
    });
  });

  it('recognizes a SecretsError of another copy of the package, and distinguishes errors by code', () => {
    const error = new SecretsError('MOUNT_MISSING', 'gone');
    const ofAnotherCopy = Object.create(Error.prototype, Object.getOwnPropertyDescriptors(error));
    for (const one of [error, ofAnotherCopy]) {
      expect(one instanceof SecretsError).toBe(true);
      expect(isSecretsError(one, 'MOUNT_EMPTY', 'MOUNT_MISSING')).toBe(true);
      expect(isSecretsError(one, 'MOUNT_EMPTY')).toBe(false);
    }
    expect(new Error('x') instanceof SecretsError).toBe(false);
  });
});

describe('a wrong argument', () => {
  const sources = [memory({ user: 'u' })];
  const open = (options: unknown) => () => SecretStore.open(options as never);

  it.each([
    ['null for options', open(null)],
    ['a string for options', open('/mnt/secrets-store')],
    ['a list of secrets', open({ secrets: ['user'], sources })],
    ['a source in place of a list', open({ sources: sources[0] })],
    ['a path in place of a source', open({ sources: ['/mnt/secrets-store'] })],
    ['a number as a definition', open({ secrets: { user: 1 }, sources })],
    ['a listener in place of an object of listeners', open({ sources, on: () => {} })],
    ['a listener that is not a function', open({ sources, on: { error: 'log' } })],
    ['an event that does not exist', open({ sources, on: { changed: () => {} } })],
    ['thresholds that are not a list', open({ sources, expiryThresholdsDays: 30 })],
    ['an empty name', open({ sources, name: '' })],
  ])('refuses %s at open', async (_, attempt) => {
    await expect(attempt()).rejects.toThrow(invalid);
  });

  it('refuses wrong arguments of the methods of a store, and suggests the right spelling', async () => {
    const { store } = await opened();
    await using _ = store;
    expect(() => store.reveal(undefined as never)).toThrow(invalid);
    expect(() => store.get(null as never)).toThrow(invalid);
    expect(() => store.on('change', undefined as never)).toThrow(invalid);
    expect(() => store.on('changed' as never, () => {})).toThrow('Did you mean "change"?');
    expect(() => store.once('change', 'log' as never)).toThrow(invalid);
    expect(() => store.watch('user', undefined as never)).toThrow(invalid);
    await expect(store.refresh('deploy' as never)).rejects.toThrow(invalid);
    await expect(store.refresh({ trigger: 1 } as never)).rejects.toThrow(invalid);
    await expect(store.refresh({ triger: 'x' } as never)).rejects.toThrow('Did you mean "trigger"?');
  });
});
