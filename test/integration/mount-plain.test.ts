import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startMountWriter } from '../support/mount-writer';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };

describe('a plain directory', () => {
  it.each([
    ['written in place', false],
    ['replaced by rename', true],
  ])('finds each rotation of plain files that are %s', async (_how, rename) => {
    await using mount = await createTestMount(
      { user: 'n0', 'db/primary/password': 'n0' },
      { layout: 'plain' },
    );
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'db/primary/password' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const log = record(store);
    for (const value of ['n1', 'n2', 'n3', 'n4']) {
      await mount.rotate({ user: value }, { rename });
      await waitFor(() => store.reveal('user') === value);
      await mount.rotate({ 'db/primary/password': value }, { rename });
      await waitFor(() => store.reveal('password') === value);
    }
    expect(log.names()).toEqual(Array(4).fill(['user', 'password']).flat());
    expect(log.codes()).toEqual([]);
  });

  it('finds a change right after the refresh of the previous one', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    for (let number = 1; number <= 25; number += 1) {
      // A watcher that throttles would lose the second of two changes within 50 ms.
      await mount.rotate({ token: `n${number}` });
      await waitFor(() => store.reveal('token') === `n${number}`, { timeoutMs: 5000 });
    }
  });

  it('finds the last values of another process that rewrites every file in place', async () => {
    await using writer = await startMountWriter({ content: { user: 'n0', password: 'n0' }, layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [mountedFiles(writer.path, NO_POLL)],
    });
    const log = record(store);
    for (const times of [3, 5, 8]) {
      await writer.swapTimes(times, { names: ['user', 'password'], prefix: `of-${times}-`, gapMs: 5 });
      await waitFor(() => store.reveal('password') === `of-${times}-${times}`);
      expect(store.reveal('user')).toBe(`of-${times}-${times}`);
    }
    expect(log.codes()).toEqual([]);
  });

  it('waits for the new value of a file that is empty for a moment, without an error', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const log = record(store);
    for (const value of ['n1', 'n2', 'n3']) {
      truncateSync(join(mount.path, 'token'));
      const during = store.refresh();
      await sleep(150);
      writeFileSync(join(mount.path, 'token'), value);
      await during;
      expect(store.reveal('token')).toBe(value);
    }
    expect(log.names()).toEqual(['token', 'token', 'token']);
    expect(log.codes()).toEqual([]);
  });

  it('serves no part of a file that is written in small steps', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const seen = new Set<string>();
    store.watch('token', (current) => seen.add(current.reveal()));
    const whole = 'part-'.repeat(20);
    for (let round = 0; round < 3; round += 1) {
      writeFileSync(join(mount.path, 'token'), '');
      const during = store.refresh();
      for (let length = 5; length <= whole.length; length += 5) {
        writeFileSync(join(mount.path, 'token'), whole.slice(length - 5, length), { flag: 'a' });
        await sleep(3);
      }
      await during;
      await waitFor(() => store.reveal('token') === whole);
      await mount.rotate({ token: `n${round}` });
      await waitFor(() => store.reveal('token') === `n${round}`);
    }
    expect([...seen].sort()).toEqual(['n0', 'n1', 'n2', whole]);
  });

  it('keeps the last value of a file that stays empty, reports it, and recovers', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const log = record(store);
    truncateSync(join(mount.path, 'token'));
    await waitFor(() => log.errors.length === 1);
    expect(log.errors[0]).toMatchObject({ code: 'VALUE_EMPTY', secret: 'token' });
    expect(store.reveal('token')).toBe('n0');
    await mount.rotate({ token: 'n1' });
    await waitFor(() => store.reveal('token') === 'n1');
    expect(log.recovered).toHaveLength(1);
  });

  it.each([
    ['plain files', 'plain'],
    ['files below ..data, in place', 'kubernetes'],
  ] as const)(
    'serves no torn pair of %s when its clock is an hour ahead of the file system',
    async (_what, layout) => {
      const settleMs = 400;
      const now = Date.now.bind(Date);
      vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
      vi.resetModules();
      onTestFinished(() => {
        vi.restoreAllMocks();
        vi.resetModules();
      });
      // Loaded again, because the package holds the clock that it finds.
      const { mountedFiles, SecretStore } = await import('hot-secrets');
      await using mount = await createTestMount({ user: 'n0', password: 'n0' }, { layout });
      await using store = await SecretStore.open({
        secrets: { user: 'user', password: 'password' },
        sources: [mountedFiles(mount.path, { pollIntervalMs: 20, settleMs })],
      });
      const torn: string[] = [];
      let seen: string[] = [];
      store.on('change', () => {
        const snapshot = store.snapshot();
        const pair = [snapshot.reveal('user'), snapshot.reveal('password')];
        if (pair[0] !== pair[1]) seen.push(pair.join(' with '));
      });
      for (const value of ['n1', 'n2', 'n3']) {
        seen = [];
        const startedAt = performance.now();
        writeFileSync(join(mount.path, 'user'), value);
        await sleep(settleMs / 4);
        writeFileSync(join(mount.path, 'password'), value);
        // A busy machine may have made the pause longer: then the pair is seen half-way, as documented.
        const isShort = performance.now() - startedAt < settleMs;
        await waitFor(() => store.reveal('user') === value && store.reveal('password') === value);
        if (isShort) torn.push(...seen);
      }
      expect(torn).toEqual([]);
    },
  );
});
