import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type MountedFilesOptions, mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { startMountWriter } from '../support/mount-writer';
import { waitFor } from '../support/wait-for';

const PAIR = { user: 'value-0', password: 'value-0' };
/** So slow that only the watch can have found what a test waits for. */
const WATCH_ONLY: MountedFilesOptions = { pollIntervalMs: 3_600_000 };

async function openPair(path: string, options: MountedFilesOptions = WATCH_ONLY) {
  return SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [mountedFiles(path, options)],
  });
}

describe('a Kubernetes mount that another process writes', () => {
  it('is followed rotation after rotation by its watch alone', async () => {
    await using writer = await startMountWriter({ content: PAIR });
    await using store = await openPair(writer.path);
    for (let round = 1; round <= 5; round += 1) {
      await writer.rotate({ user: `value-${round}`, password: `value-${round}` });
      await waitFor(() => store.reveal('password') === `value-${round}`);
      expect(store.generation).toBe(round + 1);
    }
  });
});

describe('a mount', () => {
  it.each([
    ['kubernetes', {}],
    ['plain', {}],
    ['plain', { rename: true }],
  ] as const)('of layout %s is followed, %o', async (layout, how) => {
    await using mount = await createTestMount({ ...PAIR, 'db/primary/password': 'n0' }, { layout });
    await using store = await SecretStore.open({
      secrets: { user: 'user', nested: 'db/primary/password' },
      sources: [mountedFiles(mount.path, WATCH_ONLY)],
    });
    for (let round = 1; round <= 4; round += 1) {
      await mount.rotate({ user: `value-${round}`, 'db/primary/password': `n${round}` }, how);
      await waitFor(
        () => store.reveal('user') === `value-${round}` && store.reveal('nested') === `n${round}`,
      );
    }
  });

  it('is followed through deletion and return', async () => {
    await using mount = await createTestMount(PAIR);
    await using store = await openPair(mount.path, { pollIntervalMs: 200 });
    const codes: string[] = [];
    store.on('error', (error) => codes.push(error.code));
    await mount.destroy();
    await waitFor(() => codes.includes('MOUNT_MISSING'));
    expect(store.reveal('password')).toBe('value-0');
    await mount.rotate({ user: 'back', password: 'back' });
    await mount.recreate();
    await waitFor(() => store.reveal('password') === 'back');
    for (const value of ['a', 'b', 'c']) {
      await mount.rotate({ user: value, password: value });
      await waitFor(() => store.reveal('password') === value);
    }
    expect(store.health().status).toBe('ok');
  });

  it('is followed from plain files to links and back', async () => {
    await using mount = await createTestMount(PAIR, { layout: 'plain' });
    await using store = await openPair(mount.path, { pollIntervalMs: 200 });
    store.on('error', () => {});
    for (const layout of ['kubernetes', 'plain'] as const) {
      await mount.convert(layout);
      for (const value of ['a', 'b', 'c']) {
        await mount.rotate({ user: `${layout}-${value}`, password: `${layout}-${value}` });
        await waitFor(() => store.reveal('password') === `${layout}-${value}`);
      }
    }
  });

  it('may come late, within waitForMountMs at open or as an optional one at run time', async () => {
    await using mount = await createTestMount(PAIR);
    await mount.destroy();
    setTimeout(() => void mount.recreate(), 50);
    const store = await openPair(mount.path, { waitForMountMs: 10_000 });
    await store.close();

    await mount.destroy();
    await using optional = await SecretStore.open({
      sources: [mountedFiles(mount.path, { optional: true, pollIntervalMs: 200 })],
    });
    expect(optional.has('password')).toBe(false);
    await mount.recreate();
    await waitFor(() => optional.has('password'));
    for (const value of ['a', 'b', 'c']) {
      await mount.rotate({ password: value });
      await waitFor(() => optional.reveal('password') === value);
    }
  });

  it('whose link is gone for a moment is waited for', async () => {
    await using mount = await createTestMount(PAIR);
    await using store = await openPair(mount.path);
    const errors: string[] = [];
    store.on('error', (error) => errors.push(error.code));
    renameSync(join(mount.path, '..data'), join(mount.path, '..moved'));
    const looking = store.refresh();
    setTimeout(() => renameSync(join(mount.path, '..moved'), join(mount.path, '..data')), 40);
    await looking;
    expect([errors, store.reveal('password')]).toEqual([[], 'value-0']);
  });

  it('is found changed by the poll when nothing else tells', async () => {
    await using mount = await createTestMount(PAIR);
    await using store = await openPair(mount.path, { pollIntervalMs: 20 });
    const triggers = new Set<string>();
    store.on('change', ({ trigger }) => triggers.add(trigger));
    // A directory that takes the place of the mount makes no event in the one that is watched.
    const aside = `${mount.path}-aside`;
    await using other = await createTestMount({ user: 'n', password: 'n' }, { path: `${mount.path}-new` });
    renameSync(mount.path, aside);
    renameSync(other.path, mount.path);
    await waitFor(() => store.reveal('password') === 'n');
    rmSync(mount.path, { recursive: true });
    renameSync(aside, mount.path);
    expect(existsSync(mount.path)).toBe(true);
    expect(triggers.size).toBeGreaterThan(0);
  });
});
