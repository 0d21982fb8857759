import { mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { environment, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { waitFor } from '../support/wait-for';

/** The clock of the kernel's timestamps lags behind `Date.now()` by up to one tick. */
const TICK_MS = 20;
const LONG_AGO = new Date('2020-01-01');

async function opened(path: string, file: string) {
  const sources = [mountedFiles(path, { settleMs: 20, pollIntervalMs: 50 })];
  const store = await SecretStore.open({ secrets: { key: secret.text('key', { file }) }, sources });
  onTestFinished(() => store.close());
  return store;
}

async function mountOf(content: Record<string, string>, layout: 'kubernetes' | 'plain') {
  const mount = await createTestMount(content, { layout });
  onTestFinished(() => mount.cleanup());
  return mount;
}

describe('the time at which a value of a mount appeared', () => {
  it('is that of the swap, even if the file was written long before', async () => {
    const mount = await mountOf({ key: 'one' }, 'kubernetes');
    const store = await opened(mount.path, 'key');
    for (const value of ['two', 'three', 'four']) {
      await sleep(2 * TICK_MS);
      const before = Date.now();
      await mount.rotate({ key: value });
      await waitFor(() => store.reveal('key') === value);
      const at = store.get('key').appearedAt?.getTime() ?? 0;
      expect(at).toBeGreaterThan(before - TICK_MS);
      expect(at).toBeLessThanOrEqual(Date.now());
    }
  });

  it('stays the same when the writer writes an unchanged value again', async () => {
    const mount = await mountOf({ key: 'one', other: 'a' }, 'kubernetes');
    const store = await opened(mount.path, 'key');
    const { appearedAt } = store.get('key');
    await sleep(2 * TICK_MS);
    await mount.rotate({ other: 'b' });
    await store.refresh();
    expect(store.get('key').appearedAt).toEqual(appearedAt);
  });

  it.each([
    ['a file that keeps an old date', 'key'],
    ['a link to an old file', 'link'],
    ['a file below a link to an old directory', 'linked/key'],
    ['a file in an old directory that was renamed', 'renamed/key'],
  ])('is not before the value was put into place, with %s', async (_, file) => {
    const mount = await mountOf({ present: 'x' }, 'plain');
    const at = (name: string) => `${mount.path}/${name}`;
    const old = (name: string) => {
      mkdirSync(at(name), { recursive: true });
      writeFileSync(at(`${name}/key`), 'value');
      utimesSync(at(`${name}/key`), LONG_AGO, LONG_AGO);
    };
    old('versions');
    old('later');
    await sleep(5 * TICK_MS);
    const before = Date.now();
    if (file === 'key') {
      writeFileSync(at('key'), 'value');
      utimesSync(at('key'), LONG_AGO, LONG_AGO);
    } else if (file === 'link') symlinkSync('versions/key', at('link'));
    else if (file === 'linked/key') symlinkSync('versions', at('linked'));
    else renameSync(at('later'), at('renamed'));
    const store = await opened(mount.path, file);
    expect(store.get('key').appearedAt?.getTime()).toBeGreaterThan(before - TICK_MS);
  });

  it('is unknown for a variable of the environment', async () => {
    const store = await SecretStore.open({
      secrets: { key: 'key' },
      sources: [environment({ KEY: 'value' })],
    });
    onTestFinished(() => store.close());
    expect(store.get('key').appearedAt).toBeUndefined();
  });
});
