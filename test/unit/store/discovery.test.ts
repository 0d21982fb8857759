import { environment, memory, mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

describe('a store without declared secrets', () => {
  it('takes up files that come, and keeps those that go', async () => {
    await using mount = await createTestMount({ first: '1' });
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
    await mount.remove('first');
    await waitFor(() => log.codes().includes('SECRET_VANISHED'));
    expect(store.reveal('first')).toBe('1');
    await mount.rotate({ second: '2' });
    await waitFor(() => store.reveal('second') === '2');
  });

  it('reports a file that cannot be a secret without losing the others, until it is gone', async () => {
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

  it('does not answer from the environment for what a file holds and cannot hand out', async () => {
    const source = memory({ token: '' });
    await using store = await SecretStore.open({ sources: [source, environment({ TOKEN: 'below' })] });
    expect(() => store.reveal('token')).toThrow(expect.objectContaining({ code: 'VALUE_EMPTY' }));
    expect(store.has('token')).toBe(false);
  });

  it('follows an adopted variable like any other name, and shows it in the report', async () => {
    const variables: Record<string, string> = { API_KEY: 'v1' };
    await using store = await SecretStore.open({ sources: [memory({ a: '1' }), environment(variables)] });
    const log = record(store);
    expect(store.has('api-key')).toBe(false);
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

  it('suggests the right name for one that is misspelt, and lists what there is for a strange one', async () => {
    await using store = await SecretStore.open({ sources: [memory({ 'database-password': '1' })] });
    expect(() => store.reveal('database-pasword')).toThrow('Did you mean "database-password"?');
    expect(() => store.reveal('xyz')).toThrow('Known names: database-password.');
  });
});
