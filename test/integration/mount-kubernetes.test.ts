import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startMountWriter } from '../support/mount-writer';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

// Polls every ten minutes, so that a test passes only through the watch.
const NO_POLL = { pollIntervalMs: 600_000 };
const PAIR = { user: 'db-user', password: 'db-password' } as const;

function openPair(path: string) {
  return SecretStore.open({ secrets: PAIR, sources: [mountedFiles(path, NO_POLL)] });
}

/** Makes a directory in memory, like the volumes of the kubelet, if the system has /dev/shm. */
function memoryDirectory(): string {
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hot-secrets-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return join(base, 'mount');
}

describe('a Kubernetes mount of another process', () => {
  it('reports each rotation of a pair as one change', async () => {
    await using writer = await startMountWriter({ content: { 'db-user': 'n0', 'db-password': 'n0' } });
    await using store = await openPair(writer.path);
    const log = record(store);

    for (let number = 1; number <= 6; number += 1) {
      await writer.rotate({ 'db-user': `n${number}`, 'db-password': `n${number}` });
      await waitFor(() => store.reveal('password') === `n${number}`);
      expect(store.generation).toBe(number + 1);
    }

    expect(log.changes.map(({ trigger }) => trigger)).toEqual(Array(6).fill('watch'));
    expect(log.names()).toEqual(Array(6).fill(['user', 'password']).flat());
    expect(log.codes()).toEqual([]);
  });

  it('serves the last value after many rotations in quick succession', async () => {
    await using writer = await startMountWriter({ content: { 'db-user': 'n0', 'db-password': 'n0' } });
    await using store = await openPair(writer.path);
    for (const times of [50, 30, 20]) {
      await writer.swapTimes(times, { names: ['db-user', 'db-password'], prefix: `of-${times}-`, gapMs: 2 });
      await waitFor(() => store.reveal('user') === `of-${times}-${times}`);
    }
  });

  it('serves no torn pair while the writer swaps without pause', async () => {
    await using writer = await startMountWriter({ content: { 'db-user': 'n0', 'db-password': 'n0' } });
    await using store = await openPair(writer.path);
    const log = record(store);
    const swapping = writer.swapUntilStopped({ names: ['db-user', 'db-password'], prefix: 'n' });

    const seen = new Set<string>();
    for (let count = 0; count < 1000 || seen.size <= 50; count += 1) {
      await store.refresh();
      const snapshot = store.snapshot();
      expect(snapshot.reveal('user')).toBe(snapshot.reveal('password'));
      seen.add(snapshot.reveal('user'));
    }

    const last = await swapping.stop();
    await waitFor(() => store.reveal('password') === `n${last}`);
    expect(log.codes()).toEqual([]);
  });

  it('follows rotations of a file in a subfolder', async () => {
    const name = 'db/primary/password';
    await using writer = await startMountWriter({ content: { [name]: 'n0', other: 'same' } });
    await using store = await SecretStore.open({
      secrets: { nested: name },
      sources: [mountedFiles(writer.path, NO_POLL)],
    });
    for (const value of ['n1', 'n2', 'n3']) {
      await writer.rotate({ [name]: value });
      await waitFor(() => store.reveal('nested') === value);
    }
  });

  it('emits no change when a rotation writes the same bytes', async () => {
    await using writer = await startMountWriter({ content: { 'db-user': 'same', 'db-password': 'n0' } });
    await using store = await openPair(writer.path);
    const log = record(store);
    for (let round = 0; round < 3; round += 1) await writer.rotate({ 'db-user': 'same' });
    await store.refresh();
    expect([log.changes, store.generation]).toEqual([[], 1]);

    await writer.rotate({ 'db-password': 'n1' });
    await waitFor(() => store.reveal('password') === 'n1');
    expect(log.names()).toEqual(['password']);
  });

  it('keeps the last value of a secret that vanishes, reports it once, and recovers when it is back', async () => {
    await using writer = await startMountWriter({ content: { 'db-user': 'n0', 'db-password': 'n0' } });
    await using store = await openPair(writer.path);
    const log = record(store);
    for (let round = 1; round <= 3; round += 1) {
      await writer.remove('db-password');
      await waitFor(() => log.errors.length === round);
      await store.refresh();
      expect(store.reveal('password')).toBe(`n${round - 1}`);
      await writer.rotate({ 'db-password': `n${round}` });
      await waitFor(() => store.reveal('password') === `n${round}`);
    }
    expect(log.codes()).toEqual(Array(3).fill('SECRET_VANISHED'));
    expect(log.recovered).toHaveLength(3);
  });
});

describe('a mount whose ..data alternates between two directories', () => {
  it.each([
    ['rewrites the files of the inactive directory in place', false],
    ['recreates the inactive directory', true],
  ])('serves no torn pair while a writer that %s swaps without pause', async (_how, recreate) => {
    const path = memoryDirectory();
    const content = { 'db-user': 'n0', 'db-password': 'n0' };
    await using writer = await startMountWriter({ content, path, layout: 'alternating', recreate });
    await using store = await openPair(path);
    const log = record(store);
    const swapping = writer.swapUntilStopped({ names: Object.keys(content), prefix: 'n' });

    const torn: string[] = [];
    let snapshots = 0;
    // On a busy machine, until there were enough swaps.
    for (const end = Date.now() + 1000; Date.now() < end || store.generation <= 50; snapshots += 1) {
      await store.refresh();
      const snapshot = store.snapshot();
      const pair = [snapshot.reveal('user'), snapshot.reveal('password')];
      if (pair[0] !== pair[1]) torn.push(pair.join(' with '));
    }

    const last = await swapping.stop();
    expect(torn, `${snapshots} snapshots, ${last} swaps`).toEqual([]);
    await waitFor(() => store.reveal('password') === `n${last}`);
    expect(log.codes()).toEqual([]);
  });

  it('finds the last value when two swaps lead back to the same directory', async () => {
    const content = { 'db-user': 'n0', 'db-password': 'n0' };
    await using writer = await startMountWriter({ content, layout: 'alternating' });
    await using store = await openPair(writer.path);
    for (const times of [2, 4, 6]) {
      await writer.swapTimes(times, { names: Object.keys(content), prefix: `of-${times}-` });
      await waitFor(() => store.reveal('password') === `of-${times}-${times}`);
    }
  });
});

describe('a mount without ..data for a moment, as on Windows nodes', () => {
  it('waits for a ..data that is missing for a moment, without an error', async () => {
    await using mount = await createTestMount({ 'db-user': 'n0', 'db-password': 'n0' });
    await using store = await openPair(mount.path);
    const log = record(store);
    const data = join(mount.path, '..data');

    for (const value of ['n1', 'n2', 'n3']) {
      const old = readlinkSync(data);
      const fresh = `..2026_01_01_00_00_00.${value.slice(1)}`;
      mkdirSync(join(mount.path, fresh));
      for (const name of ['db-user', 'db-password']) writeFileSync(join(mount.path, fresh, name), value);
      unlinkSync(data);
      const during = store.refresh();
      await sleep(60);
      symlinkSync(fresh, data);
      rmSync(join(mount.path, old), { recursive: true });
      await during;
      await waitFor(() => store.reveal('user') === value);
    }
    expect(log.codes()).toEqual([]);
  });

  it('reports a ..data that stays missing, and follows rotations once it is back', async () => {
    await using mount = await createTestMount({ 'db-user': 'n0', 'db-password': 'n0' });
    await using store = await openPair(mount.path);
    const log = record(store);
    const target = readlinkSync(join(mount.path, '..data'));
    unlinkSync(join(mount.path, '..data'));
    await waitFor(() => log.codes().includes('MOUNT_EMPTY'));
    expect(store.reveal('password')).toBe('n0');

    symlinkSync(target, join(mount.path, '..data'));
    await waitFor(() => log.recovered.length === 1);
    for (const value of ['n1', 'n2', 'n3']) {
      await mount.rotate({ 'db-password': value });
      await waitFor(() => store.reveal('password') === value);
    }
    expect(log.codes()).toEqual(['MOUNT_EMPTY']);
  });
});
