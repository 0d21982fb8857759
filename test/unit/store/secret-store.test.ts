import { inspect } from 'node:util';
import {
  environment,
  memory,
  mountedFiles,
  type ReadResult,
  SecretStore,
  type Source,
  secret,
} from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { deferred } from '../../support/deferred';
import { waitFor } from '../../support/wait-for';

const code = (expected: string) => expect.objectContaining({ code: expected });

afterEach(() => {
  vi.useRealTimers();
});

describe('fallback', () => {
  it('takes a secret from the first source that has it, moves up later, and never moves down', async () => {
    await using mount = await createTestMount({ other: 'x' });
    const variables = { API_KEY: 'from-variable' };
    await using store = await SecretStore.open({
      secrets: { key: 'api-key' },
      sources: [mountedFiles(mount.path), environment(variables)],
    });
    const errors: string[] = [];
    store.on('error', (error) => errors.push(error.code));
    expect([store.reveal('key'), store.get('key').source]).toEqual(['from-variable', 'environment']);

    await mount.rotate({ 'api-key': 'from-file' });
    await waitFor(() => store.reveal('key') === 'from-file');
    await mount.remove('api-key');
    await waitFor(() => errors.includes('SECRET_VANISHED'));
    expect([store.reveal('key'), store.get('key').source]).toEqual(['from-file', 'mounted-files']);
    expect(store.health().status).toBe('degraded');
  });

  it('moves up to a higher source without a change event when the value is the same', async () => {
    await using mount = await createTestMount({ other: 'x' });
    await using store = await SecretStore.open({
      secrets: { key: 'api-key' },
      sources: [mountedFiles(mount.path), environment({ API_KEY: 'same' })],
    });
    const changes = vi.fn();
    store.on('change', changes);
    await mount.rotate({ 'api-key': 'same' });
    await waitFor(() => store.get('key').source === 'mounted-files');
    expect(changes).not.toHaveBeenCalled();
  });

  it('rejects open instead of falling back past a source that failed', async () => {
    const denied: Source = {
      name: 'vault',
      location: '',
      read: async () => {
        throw new Error('denied');
      },
      inventory: async () => [],
    };
    await expect(
      SecretStore.open({ secrets: { key: 'api-key' }, sources: [denied, environment({ API_KEY: 'below' })] }),
    ).rejects.toThrow(code('SOURCE_FAILED'));
  });

  it('takes the first variable that is set and not empty', async () => {
    await using store = await SecretStore.open({
      secrets: { key: secret.text('api-key', { env: ['API_KEY_NEW', 'API_KEY'] }) },
      sources: [environment({ API_KEY_NEW: '', API_KEY: 'old' })],
    });
    expect(store.reveal('key')).toBe('old');
  });
});

describe('a generation', () => {
  it('holds back a whole generation while one of its values is bad, until it is fixed', async () => {
    const source = memory({ user: 'u1', config: '{"a":1}' });
    await using store = await SecretStore.open({
      secrets: { user: 'user', config: secret.json('config', z.object({ a: z.number() })) },
      sources: [source],
    });
    const errors: string[] = [];
    const recovered: string[] = [];
    store.on('error', (error) => errors.push(error.code));
    store.on('recovered', (error) => recovered.push(error.code));

    source.set({ user: 'u2', config: '{"a":"two"}' });
    await store.refresh();
    await store.refresh();
    expect([store.reveal('user'), store.reveal('config')]).toEqual(['u1', { a: 1 }]);
    expect(errors).toEqual(['VALUE_REFUSED']);

    source.set({ config: '{"a":2}' });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('config')]).toEqual(['u2', { a: 2 }]);
    expect(recovered).toEqual(['VALUE_REFUSED']);
    expect(store.health().status).toBe('ok');
  });

  it('holds back a generation when a required secret vanishes, but not for an optional one', async () => {
    const source = memory({ user: 'u1', password: 'p1', beta: 'b1' });
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'password', beta: secret.text('beta').optional() },
      sources: [source],
    });
    store.on('error', () => {});
    source.set({ user: 'u2', password: undefined });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['u1', 'p1']);
    source.set({ user: 'u3', password: 'p3', beta: undefined });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('password'), store.reveal('beta')]).toEqual([
      'u3',
      'p3',
      'b1',
    ]);
  });

  it('keeps the values of a snapshot through a rotation and close', async () => {
    const source = memory({ user: 'u1', password: 'p1' });
    const store = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [source],
    });
    const before = store.snapshot();
    source.set({ user: 'u2', password: 'p2' });
    await store.refresh();
    await store.close();
    expect([before.reveal('user'), before.reveal('password'), before.generation]).toEqual(['u1', 'p1', 1]);
  });

  it('emits one change event per generation, with names and without values', async () => {
    const source = memory({ user: 'user-one', password: 'password-one' });
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [source],
    });
    const events: unknown[] = [];
    store.on('change', (event) => events.push(event));
    source.set({ user: 'user-two', password: 'password-two' });
    await store.refresh({ trigger: 'signal' });
    await store.refresh();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      generation: 2,
      changes: [
        { name: 'user', kind: 'rotated', source: 'memory' },
        { name: 'password', kind: 'rotated', source: 'memory' },
      ],
    });
    expect(inspect(events, { depth: 10 })).not.toMatch(/(user|password)-(one|two)/);
  });
});

describe('a refresh', () => {
  /** A source whose reads wait at a gate, and return the value from before the wait. */
  function slowSource() {
    let value = 'v1';
    const gates: ReturnType<typeof deferred>[] = [];
    let slow = false;
    const source: Source = {
      name: 'slow',
      location: '',
      async read({ lookups }): Promise<ReadResult> {
        const bytes = new TextEncoder().encode(value);
        if (slow) {
          const gate = deferred();
          gates.push(gate);
          await gate.promise;
        }
        const readings = new Map(
          lookups.map(({ name }) => [name, { status: 'found' as const, bytes, origin: name }]),
        );
        return { unchanged: false, readings, revision: undefined };
      },
      inventory: async () => [],
    };
    return { source, gates, set: (next: string) => (value = next), slow: () => (slow = true) };
  }

  it('shares one later refresh among the requests that arrive while another runs', async () => {
    const { source, gates, set, slow } = slowSource();
    await using store = await SecretStore.open({ secrets: { one: 'one' }, sources: [source] });
    slow();
    const first = store.refresh();
    await waitFor(() => gates.length === 1);
    set('v2');
    const later = [store.refresh(), store.refresh(), store.refresh()];
    gates[0]?.resolve(undefined);
    await first;
    expect(store.reveal('one')).toBe('v1');
    await waitFor(() => gates.length === 2);
    gates[1]?.resolve(undefined);
    await Promise.all(later);
    expect(store.reveal('one')).toBe('v2');
    expect(gates).toHaveLength(2);
  });

  it('reports a source that hangs after refreshTimeoutMs, and keeps serving its values', async () => {
    const { source, slow } = slowSource();
    await using store = await SecretStore.open({
      secrets: { one: 'one' },
      sources: [source],
      refreshTimeoutMs: 20,
    });
    const errors: string[] = [];
    store.on('error', (error) => errors.push(error.code));
    slow();
    await store.refresh();
    expect(errors).toEqual(['SOURCE_FAILED']);
    expect(store.reveal('one')).toBe('v1');
  });
});

describe('listeners', () => {
  it('isolates listeners that throw or reject from the others, and reports them', async () => {
    const source = memory({ one: 'a' });
    await using store = await SecretStore.open({ secrets: { one: 'one' }, sources: [source] });
    const errors: { code: string; message: string }[] = [];
    const heard = vi.fn();
    store.on('error', (error) => errors.push(error));
    store.on('change', () => {
      throw new Error('marker-of-a-message');
    });
    store.on('change', async () => {
      throw new Error('marker-of-a-message');
    });
    store.on('change', heard);
    source.set({ one: 'b' });
    await store.refresh();
    await waitFor(() => errors.length === 2);
    expect(heard).toHaveBeenCalledOnce();
    expect(errors.map((error) => error.code)).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED']);
    expect(JSON.stringify(errors.map(({ message }) => message))).not.toContain('marker-of-a-message');
  });

  it('calls a watch listener at once and after each rotation of its secret, until stopped', async () => {
    const source = memory({ one: 'a', two: 'x' });
    await using store = await SecretStore.open({ secrets: { one: 'one', two: 'two' }, sources: [source] });
    const seen: (string | undefined)[][] = [];
    const stop = store.watch('one', (current, previous) => seen.push([current.reveal(), previous?.reveal()]));
    for (const value of ['b', 'c', 'd']) {
      source.set({ one: value, two: `${value}2` });
      await store.refresh();
    }
    source.set({ two: 'y' });
    await store.refresh();
    stop();
    source.set({ one: 'e' });
    await store.refresh();
    expect(seen).toEqual([
      ['a', undefined],
      ['b', 'a'],
      ['c', 'b'],
      ['d', 'c'],
    ]);
  });
});

describe('values', () => {
  it('reveals a previous value for keepPreviousMs, and no longer', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'] });
    const source = memory({ key: 'k1' });
    await using store = await SecretStore.open({
      secrets: { key: secret.text('key', { keepPreviousMs: 1000 }) },
      sources: [source],
    });
    source.set({ key: 'k2' });
    await store.refresh();
    expect(store.revealWithPrevious('key')).toEqual(['k2', 'k1']);
    vi.advanceTimersByTime(1001);
    expect(store.revealWithPrevious('key')).toEqual(['k2']);
  });

  it('masks current and previous values in text, including bytes in base64', async () => {
    const source = memory({ one: 'first-"marker"', short: 'abc', raw: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    await using store = await SecretStore.open({
      secrets: { one: 'one', short: 'short', raw: secret.bytes('raw') },
      sources: [source],
    });
    source.set({ one: 'second-marker' });
    await store.refresh();
    const line = `${JSON.stringify({ a: 'first-"marker"' })} second-marker AQIDBAUG abc`;
    expect(store.redact(line)).toBe('{"a":"[secret one]"} [secret one] [secret raw] abc');
  });
});

describe('a store without declared secrets', () => {
  it('makes each file a text secret, and finds other names in the environment', async () => {
    await using mount = await createTestMount({ 'database-password': 'from-file', 'db/user': 'nested' });
    await using store = await SecretStore.open({
      sources: [mountedFiles(mount.path), environment({ API_KEY: 'from-variable' })],
    });
    expect([...store.names()].sort()).toEqual(['database-password', 'db/user']);
    expect(store.reveal('db/user')).toBe('nested');
    expect(store.reveal('api-key')).toBe('from-variable');
    expect(() => store.reveal('database-pasword')).toThrow(code('NAME_UNKNOWN'));

    await mount.rotate({ 'api-key': 'moved-up' });
    await waitFor(() => store.reveal('api-key') === 'moved-up');
  });

  it('opens without the default mount, and notes its absence in the report', async () => {
    vi.stubEnv('SECRETS_PATH', '');
    vi.stubEnv('SOME_API_KEY', 'from-variable');
    await using store = await SecretStore.open();
    expect(store.reveal('some-api-key')).toBe('from-variable');
    expect(store.report().sources[0]?.note).toMatch(/does not exist/);
    vi.unstubAllEnvs();
  });
});

describe('closing', () => {
  it('accepts repeated calls of close, and refuses later reads with STORE_CLOSED', async () => {
    const store = await SecretStore.open({ secrets: { one: 'one' }, sources: [memory({ one: 'a' })] });
    await Promise.all([store.close(), store.close(), store[Symbol.asyncDispose]()]);
    expect(() => store.reveal('one')).toThrow(code('STORE_CLOSED'));
    expect(() => store.snapshot()).toThrow(code('STORE_CLOSED'));
    await expect(store.refresh()).rejects.toThrow(code('STORE_CLOSED'));
  });
});
