import { memory, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, vi } from 'vitest';
import { mountedFiles } from '../../src/sources/mounted-files/mounted-files';
import { startVault } from '../support/key-vault-clients';
import { openStore, requestsOf, sourceOf } from '../support/key-vault-stage';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`secret-${index}`, `value-${index}`]));
const declare = (names: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.keys(names).map((name) => [name, name]));

describe('the refreshes of a vault', () => {
  it('reads each secret of a vault once at first, and follows three rotations of a pair', async () => {
    const vault = await startVault({ secrets: { user: 'u-0', password: 'p-0' } });
    const { store, log } = await openStore({ user: 'user', password: 'password' }, sourceOf(vault));
    expect(vault.requests.map(({ status }) => status)).toEqual([401, 200, 200, 200]);
    for (const round of [1, 2, 3]) {
      await vault.set('user', `u-${round}`);
      await vault.set('password', `p-${round}`);
      await store.refresh();
      const { generation } = store;
      expect([generation, store.reveal('user'), store.reveal('password')]).toEqual([
        round + 1,
        `u-${round}`,
        `p-${round}`,
      ]);
    }
    expect(log.names()).toEqual(['user', 'password', 'user', 'password', 'user', 'password']);
    expect(log.errors).toEqual([]);
  });

  it('sends one request per secret and calls no listener when the vault did not change', async () => {
    const secrets = many(20);
    const vault = await startVault({ secrets });
    const { store, log } = await openStore(declare(secrets), sourceOf(vault));
    const { generation } = store;
    const called = vi.fn();
    for (const name of store.names()) store.watch(name, called);
    expect(called).toHaveBeenCalledTimes(20);
    for (let round = 0; round < 3; round += 1) {
      const requests = requestsOf(vault);
      await store.refresh();
      expect(requests.all).toHaveLength(20);
      expect(new Set(requests.all).size).toBe(20);
    }
    expect(called).toHaveBeenCalledTimes(20);
    expect(log).toMatchObject({ changes: [], errors: [], recovered: [] });
    expect(store.generation).toBe(generation);
  });

  it('refreshes a vault every refreshIntervalMs', async () => {
    const vault = await startVault({ secrets: { key: 'v-0' } });
    const { store, log } = await openStore({ key: 'key' }, sourceOf(vault, { refreshIntervalMs: 1_000 }));
    for (const round of [1, 2, 3]) {
      await vault.set('key', `v-${round}`);
      await waitFor(() => store.reveal('key') === `v-${round}`);
    }
    expect(log.changes.map(({ trigger }) => trigger)).toEqual(['poll', 'poll', 'poll']);
  });

  it('sends at most as many requests at once as concurrency allows', async () => {
    const secrets = many(20);
    const vault = await startVault({ secrets });
    const { store } = await openStore(declare(secrets), sourceOf(vault, { concurrency: 4 }));
    vault.fail({ kind: 'slow', delayMs: 40 });
    let most = 0;
    const watching = setInterval(() => {
      most = Math.max(most, vault.requests.filter(({ status }) => status === undefined).length);
    }, 2);
    await store.refresh();
    clearInterval(watching);
    expect(most).toBe(4);
  });

  it('answers "unchanged" for an unchanged vault only when since is given', async () => {
    const vault = await startVault({ secrets: { key: 'v-0' } });
    const source = sourceOf(vault);
    const ask = (since: string | undefined) =>
      source.read({
        lookups: [{ name: 'key', file: 'key', env: [], vault: 'key' }],
        list: false,
        since,
        signal: new AbortController().signal,
      });
    const { revision } = await ask(undefined);
    expect(await ask(revision)).toMatchObject({ unchanged: true, readings: new Map(), revision });
    expect((await ask(undefined)).readings.get('key')?.status).toBe('found');
    // A tag may change several times within one second of the vault's clock.
    for (const tag of ['a', 'b', 'c']) {
      await vault.update('key', { tags: { tag } });
      expect((await ask(revision)).unchanged).toBe(false);
    }
    await source.close?.();
  });
});

describe('the names of secrets in a vault', () => {
  it('serves a pinned version of a secret together with the newest one', async () => {
    const vault = await startVault();
    const first = await vault.set('key', 'old');
    await vault.set('key', 'new');
    const secrets = {
      current: secret.text('current', { vault: 'key' }),
      pinned: secret.text('pinned', { vault: `key/${first}` }),
    };
    const { store } = await openStore(secrets, sourceOf(vault));
    expect([store.reveal('current'), store.reveal('pinned')]).toEqual(['new', 'old']);
    expect(store.get('pinned')).toMatchObject({
      version: first,
      origin: `${vault.vaultUrl}/secrets/key/${first}`,
    });
    await vault.set('key', 'newest');
    await store.refresh();
    expect([store.reveal('current'), store.reveal('pinned')]).toEqual(['newest', 'old']);
  });

  it('maps names to names that a vault allows, and treats impossible names as missing', async () => {
    const vault = await startVault({ secrets: { 'tls-crt': 'c', 'db-primary-password': 'p' } });
    const long = 'x'.repeat(200);
    const secrets = {
      certificate: 'tls.crt',
      password: 'db/primary/password',
      long: secret.text(long).optional(),
    };
    const { store } = await openStore(secrets, sourceOf(vault));
    expect([store.reveal('certificate'), store.reveal('password')]).toEqual(['c', 'p']);
    expect(store.reveal('long')).toBeUndefined();
  });

  it('reads several vaults in the order of the sources', async () => {
    const own = await startVault({ name: 'shop', secrets: { key: 'of the shop' } });
    const shared = await startVault({
      name: 'shared',
      secrets: { key: 'of all', 'only-shared': 'also of all' },
    });
    const secrets = { key: 'key', only: 'only-shared' };
    const { store } = await openStore(secrets, sourceOf(own), sourceOf(shared));
    expect([store.reveal('key'), store.reveal('only')]).toEqual(['of the shop', 'also of all']);
    expect(store.report().sources.map(({ location }) => location)).toEqual([own.vaultUrl, shared.vaultUrl]);
    await shared.set('key', 'ignored');
    await own.set('key', 'rotated');
    await shared.set('only-shared', 'rotated too');
    await store.refresh();
    expect([store.reveal('key'), store.reveal('only')]).toEqual(['rotated', 'rotated too']);
  });

  it('discovers the secrets of all pages, but only with list: true', async () => {
    const secrets = many(7);
    const vault = await startVault({ secrets, pageSize: 3, emptyPages: 2 });
    await vault.set('off', 'value', { enabled: false });
    const { store, log } = await discover(sourceOf(vault, { list: true }));
    expect([...store.names()].sort()).toEqual(Object.keys(secrets));
    await vault.set('secret-7', 'value-7');
    const requests = requestsOf(vault);
    await store.refresh();
    expect(store.reveal('secret-7')).toBe('value-7');
    expect(requests.at('list')).toBeGreaterThanOrEqual(7);
    expect(log.changes).toMatchObject([{ changes: [{ name: 'secret-7', kind: 'added' }] }]);

    const quiet = await startVault({ secrets });
    const { store: empty } = await discover(sourceOf(quiet));
    expect(empty.names()).toEqual([]);
    expect(requestsOf(quiet).at('list')).toBe(0);
  });

  it('suggests similar names for a missing secret when the vault may be listed', async () => {
    const vault = await startVault({ secrets: { 'database-password': 'p' } });
    const open = (list: boolean) =>
      SecretStore.open({ secrets: { a: 'databse-password' }, sources: [sourceOf(vault, { list })] });
    await expect(open(true)).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      message: expect.stringContaining('it has: database-password'),
    });
    await expect(open(false)).rejects.toMatchObject({
      message: expect.stringContaining('secret names are not listed'),
    });
  });
});

describe('a secret that is missing in the vault', () => {
  it('takes a missing secret from the next source until the vault has it', async () => {
    const vault = await startVault();
    const { store, log } = await openStore({ key: 'key' }, sourceOf(vault), memory({ key: 'of memory' }));
    expect(store.get('key')).toMatchObject({ source: 'memory' });
    expect(store.report().secrets[0]?.passed).toEqual([{ source: 'key-vault', looked: 'secret "key"' }]);
    await vault.set('key', 'of the vault');
    await store.refresh();
    expect(store.get('key')).toMatchObject({ source: 'key-vault' });
    expect(store.reveal('key')).toBe('of the vault');

    await vault.delete('key');
    await store.refresh();
    expect(store.reveal('key')).toBe('of the vault');
    expect(log.codes()).toEqual(['SECRET_VANISHED']);
    await vault.recover('key');
    await store.refresh();
    expect(log.recovered.map(({ code }) => code)).toEqual(['SECRET_VANISHED']);
  });

  it('requests only those secrets from the vault that the mount is missing', async () => {
    const vault = await startVault({ secrets: { 'in-vault': 'of the vault' } });
    await using mount = await createTestMount({ 'in-mount': 'of the mount' });
    const secrets = { mounted: 'in-mount', vaulted: 'in-vault' };
    const { store } = await openStore(secrets, mountedFiles(mount.path), sourceOf(vault));
    expect([store.get('mounted').source, store.get('vaulted').source]).toEqual([
      'mounted-files',
      'key-vault',
    ]);
    const requests = requestsOf(vault);
    await store.refresh();
    expect(requests.all).toEqual(['in-vault 200']);
  });
});

/** Opens a store in discovery. */
async function discover(source: ReturnType<typeof sourceOf>) {
  const store = await SecretStore.open({ sources: [source] });
  return { store, log: record(store) };
}
