import { environment, memory, mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { silentMemory } from '../../support/silent-source';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

describe('a store without declared secrets', () => {
  it('adds files that appear, and drops a file that vanishes before it was read', async () => {
    await using mount = await createTestMount({ first: '1', unread: '1' });
    await using store = await SecretStore.open({ sources: [mountedFiles(mount.path)] });
    const log = record(store);
    for (const name of ['second', 'third', 'nested/fourth']) {
      await mount.rotate({ [name]: name });
      await waitFor(() => store.has(name));
      expect(store.reveal(name)).toBe(name);
    }
    expect(log.changes.flatMap(({ changes }) => changes.map(({ kind }) => kind))).toEqual(
      Array(3).fill('added'),
    );
    await mount.remove('unread');
    await waitFor(() => !store.has('unread'));
    expect(log.changes.at(-1)?.changes).toEqual([
      expect.objectContaining({ name: 'unread', kind: 'removed', version: undefined }),
    ]);
    expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
    expect(() => store.reveal('unread')).toThrow(expect.objectContaining({ code: 'NAME_UNKNOWN' }));
  });

  it('keeps serving the whole generation when a secret that was read vanishes', async () => {
    const source = memory({ user: 'u1', password: 'p1' });
    await using store = await SecretStore.open({ sources: [source] });
    const log = record(store);
    expect(store.reveal('password')).toBe('p1');
    for (const round of [2, 3, 4]) {
      source.set({ user: `u${round}`, password: undefined });
      await store.refresh();
      expect([store.reveal('user'), store.reveal('password')]).toEqual(['u1', 'p1']);
    }
    expect(log.codes()).toEqual(['SECRET_VANISHED']);
    source.set({ user: 'u5', password: 'p5' });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['u5', 'p5']);
    expect([log.recovered.length, store.health().status]).toEqual([1, 'ok']);
  });

  it('waits for a second refresh before it serves a generation that lacks a name', async () => {
    // A hint would add a refresh of its own.
    const source = silentMemory({ user: 'u1', password: 'p1' });
    await using store = await SecretStore.open({ sources: [source] });
    record(store);
    // Reads the report, not the store: a secret that was read counts as required.
    const seen = () => store.report().secrets.map(({ name, version }) => `${name} ${version}`);
    const first = seen();
    source.set({ user: 'u2', password: undefined });
    await store.refresh();
    expect(seen()).toEqual(first);
    await store.refresh();
    expect(store.names()).toEqual(['user']);
    source.set({ user: 'u3', password: 'p3' });
    await store.refresh();
    expect([store.reveal('user'), store.reveal('password')]).toEqual(['u3', 'p3']);
  });

  it('drops a value that turns bad before it was read, and throws the cause when it is revealed', async () => {
    const source = memory({ token: 't1', labels: 'app="x"' });
    await using store = await SecretStore.open({ sources: [source] });
    record(store);
    source.set({ token: 't2', labels: '' });
    await store.refresh();
    expect([store.reveal('token'), store.has('labels')]).toEqual(['t2', false]);
    expect(() => store.reveal('labels')).toThrow(expect.objectContaining({ code: 'VALUE_EMPTY' }));
  });

  it('forgets discovered names that vanish', async () => {
    const source = memory({ a: '1' });
    await using store = await SecretStore.open({ sources: [source] });
    record(store);
    for (let round = 1; round <= 50; round += 1) {
      source.set({ [`session-${round}`]: 'v', [`session-${round - 1}`]: undefined });
      await store.refresh();
    }
    expect(store.names()).toEqual(['a', 'session-50']);
    expect([store.report().secrets.length, store.health().status]).toEqual([2, 'ok']);
  });

  it('serves the usable files while others cannot be secrets, and reports recovery', async () => {
    const source = memory({ good: '1', 'bad name': '1', binary: Uint8Array.of(0xff, 0xfe) });
    await using store = await SecretStore.open({ sources: [source] });
    const log = record(store);
    expect(store.names()).toEqual(['good']);
    expect(() => store.reveal('binary')).toThrow(expect.objectContaining({ code: 'VALUE_NOT_UTF8' }));
    expect(() => store.reveal('bad name')).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));

    source.set({ 'bad name': undefined, binary: 'now text', good: '2' });
    await store.refresh();
    expect([store.reveal('good'), store.reveal('binary')]).toEqual(['2', 'now text']);
    expect(log.recovered.map(({ code }) => code).sort()).toEqual(['NAME_INVALID', 'VALUE_NOT_UTF8']);
    expect(store.health().status).toBe('ok');
  });

  it('does not answer from the environment for a name whose file is unusable', async () => {
    const source = memory({ token: '' });
    await using store = await SecretStore.open({ sources: [source, environment({ TOKEN: 'below' })] });
    expect(() => store.reveal('token')).toThrow(expect.objectContaining({ code: 'VALUE_EMPTY' }));
    expect(store.has('token')).toBe(false);
  });

  it('follows an undeclared variable once it is read, and shows it in the report', async () => {
    const variables: Record<string, string> = { API_KEY: 'v1' };
    await using store = await SecretStore.open({ sources: [memory({ a: '1' }), environment(variables)] });
    const log = record(store);
    expect(store.names()).toEqual(['a']);
    expect(store.reveal('api-key')).toBe('v1');
    expect([store.has('api-key'), store.get('api-key').origin]).toEqual([true, 'API_KEY']);
    for (const value of ['v2', 'v3', 'v4']) {
      variables.API_KEY = value;
      await store.refresh();
      expect(store.reveal('api-key')).toBe(value);
    }
    expect(log.names()).toEqual(Array(3).fill('api-key'));
    expect(store.report().secrets.find(({ name }) => name === 'api-key')).toMatchObject({
      source: 'environment',
      origin: 'API_KEY',
      passed: [{ source: 'memory', looked: '"api-key"' }],
    });
  });

  it('reveals undeclared variables as they were when the snapshot was taken', async () => {
    const variables: Record<string, string> = { DB_USER: 'user-1', DB_PASSWORD: 'password-1' };
    await using store = await SecretStore.open({ sources: [environment(variables)] });
    const before = store.snapshot();
    expect(before.reveal('db-user')).toBe('user-1');
    Object.assign(variables, { DB_USER: 'user-2', DB_PASSWORD: 'password-2', DB_EXTRA: 'extra-2' });
    await store.refresh();
    expect([before.reveal('db-user'), before.reveal('db-password')]).toEqual(['user-1', 'password-1']);
    expect([before.has('db-extra'), before.has('db-password')]).toEqual([false, true]);
    const after = store.snapshot();
    expect([after.reveal('db-user'), after.reveal('db-password')]).toEqual(['user-2', 'password-2']);
  });

  it('treats a system variable as a secret only if it is declared', async () => {
    const variables = { PATH: '/bin', HOME: '/root', KUBERNETES_SERVICE_HOST: '10.0.0.1', API_KEY: 'k' };
    const sources = [environment(variables)];
    await using store = await SecretStore.open({ sources });
    for (const name of ['path', 'home', 'kubernetes-service-host']) {
      expect(store.has(name)).toBe(false);
      expect(() => store.reveal(name)).toThrow(expect.objectContaining({ code: 'NAME_UNKNOWN' }));
    }
    expect(store.reveal('api-key')).toBe('k');
    await using declared = await SecretStore.open({ secrets: { path: 'path' }, sources });
    expect(declared.reveal('path')).toBe('/bin');
  });

  it('masks a value of a variable that only an earlier snapshot revealed', async () => {
    const variables: Record<string, string> = { API_KEY: 'first-marker' };
    await using store = await SecretStore.open({ sources: [environment(variables)] });
    const before = store.snapshot();
    variables.API_KEY = 'second-marker';
    await store.refresh();
    expect([before.reveal('api-key'), store.reveal('api-key')]).toEqual(['first-marker', 'second-marker']);
    expect(store.redact('first-marker second-marker')).toBe('[secret api-key] [secret api-key]');
  });

  it('suggests the right name for a misspelt one, and lists all names for an unrelated one', async () => {
    await using store = await SecretStore.open({ sources: [memory({ 'database-password': '1' })] });
    expect(() => store.reveal('database-pasword')).toThrow('Did you mean "database-password"?');
    expect(() => store.reveal('xyz')).toThrow('Known names: database-password.');
  });
});
