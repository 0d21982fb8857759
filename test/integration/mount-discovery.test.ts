import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };

function plain(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, value] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), value);
  }
  return root;
}

describe('a store without declared secrets, on files that are none', () => {
  it.each([
    'password~',
    '.password.swp',
    '#password#',
    '.#password',
    '4913',
    'password.tmp',
    '.gitkeep',
    'x.bak',
  ])('does not list %s, which an editor or a writer left', async (name) => {
    const root = plain({ password: 'p', [name]: 'x' });
    await using store = await SecretStore.open({ sources: [mountedFiles(root)] });
    expect([store.names(), store.report().secrets.length, store.health().status]).toEqual([
      ['password'],
      1,
      'ok',
    ]);
  });

  it('lists hidden files that are secrets, such as .dockerconfigjson', async () => {
    await using mount = await createTestMount({ '.dockerconfigjson': '{}', token: 't' });
    await using store = await SecretStore.open({ sources: [mountedFiles(mount.path)] });
    expect(store.names().toSorted()).toEqual(['.dockerconfigjson', 'token']);
  });

  it('shows what cannot be a secret without being degraded, until somebody reads it', async () => {
    const root = plain({
      token: 't0',
      'my secret.txt': 'x',
      'ca.crt': '',
      'keystore.jks': Uint8Array.of(0xfe, 0xed, 0xfe, 0xed),
    });
    const startedAt = performance.now();
    await using store = await SecretStore.open({ sources: [mountedFiles(root, NO_POLL)] });
    expect(performance.now() - startedAt, 'an empty file that nobody reads').toBeLessThan(900);
    const log = record(store);
    const shown = store.health().secrets.map(({ name, problem }) => `${name} ${problem}`);
    expect(shown.toSorted()).toEqual([
      'ca.crt VALUE_EMPTY',
      'keystore.jks VALUE_NOT_UTF8',
      'my secret.txt NAME_INVALID',
    ]);
    expect(store.health().status).toBe('ok');
    expect(store.report().secrets.map(({ problem }) => problem)).toContain('NAME_INVALID');
    for (const value of ['t1', 't2', 't3']) {
      writeFileSync(join(root, 'token'), value);
      await waitFor(() => store.reveal('token') === value);
    }
    expect(log.codes()).toEqual([]);
    expect(() => store.reveal('ca.crt')).toThrow(expect.objectContaining({ code: 'VALUE_EMPTY' }));
    expect(store.health().status).toBe('degraded');
  });

  it('tells a file that cannot be read once, however often the mount is swapped', async () => {
    await using mount = await createTestMount({ big: 'x'.repeat(200), password: 'p0' });
    await using store = await SecretStore.open({
      sources: [mountedFiles(mount.path, { ...NO_POLL, maxFileBytes: 100 })],
    });
    const log = record(store);
    for (let round = 1; round <= 10; round += 1) {
      await mount.rotate({ big: 'x'.repeat(200 + round), password: `p${round}` });
      await waitFor(() => store.reveal('password') === `p${round}`);
    }
    expect(log.codes()).toEqual([]);
    expect(() => store.reveal('big')).toThrow(
      expect.objectContaining({ message: expect.stringContaining(`${mount.path}/big is larger`) }),
    );
  });
});

describe('a file next to ..data', () => {
  it.each([
    ['extra', 'move it into a directory of its own'],
    ['more/token', `use mountedFiles('ROOT/more')`],
    ['volume/token', `use mountedFiles('ROOT/volume')`],
  ])('says why %s is not found, and where it belongs', async (alias, advice) => {
    await using mount = await createTestMount({ a: '1' });
    await using _ = await createTestMount({ token: 't' }, { path: join(mount.path, 'volume') });
    mkdirSync(join(mount.path, 'more'));
    for (const file of ['more/token', 'extra']) writeFileSync(join(mount.path, file), 'x');
    const opening = SecretStore.open({ secrets: { it: alias }, sources: [mountedFiles(mount.path)] });
    await expect(opening).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      message: expect.stringMatching(/lies next to \.\.data, outside this volume/),
    });
    await expect(opening).rejects.toThrow(advice.replace('ROOT', mount.path));
  });
});

describe('messages about files', () => {
  it('names the target of a link that leads nowhere', async () => {
    const root = plain({ other: 'x' });
    symlinkSync('archive/key-7', join(root, 'key'));
    const opening = SecretStore.open({ secrets: { key: 'key' }, sources: [mountedFiles(root)] });
    await expect(opening).rejects.toThrow('/key, a link to archive/key-7, which does not exist');
  });

  it('says of a link to itself that it is one', async () => {
    const root = plain({ other: 'x' });
    symlinkSync('key', join(root, 'key'));
    const opening = SecretStore.open({ secrets: { key: 'key' }, sources: [mountedFiles(root)] });
    await expect(opening).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
      next: expect.stringMatching(/link/),
    });
  });

  it.each([
    ['to itself', { loop: 'loop' }],
    ['to each other', { loop: 'other', other: 'loop' }],
    ['below itself', { loop: 'loop/part' }],
  ])('serves the other files in discovery when links lead %s', async (_where, links) => {
    const root = plain({ token: 't0' });
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
    await using store = await SecretStore.open({ sources: [mountedFiles(root, NO_POLL)] });
    record(store);
    for (const value of ['t1', 't2', 't3']) {
      writeFileSync(join(root, 'token'), value);
      await waitFor(() => store.reveal('token') === value);
    }
    expect(() => store.reveal('loop')).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
  });

  it('keeps one cause while a file that is too large grows', async () => {
    const root = plain({ token: 't' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(root, { ...NO_POLL, maxFileBytes: 100 })],
    });
    const log = record(store);
    for (let round = 1; round <= 5; round += 1) {
      writeFileSync(join(root, 'next'), 'x'.repeat(100 + round));
      renameSync(join(root, 'next'), join(root, 'token'));
      await store.refresh();
    }
    expect([log.codes(), store.reveal('token')]).toEqual([['FILE_TOO_LARGE'], 't']);
  });
});
