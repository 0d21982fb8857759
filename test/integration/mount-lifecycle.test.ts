import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { environment, mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../support/files';
import { startMountWriter } from '../support/mount-writer';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };
const LAYOUTS = ['kubernetes', 'plain'] as const;

async function expectRotations(mount: TestMount, current: () => string, prefix: string): Promise<void> {
  for (let number = 1; number <= 3; number += 1) {
    await mount.rotate({ token: `${prefix}${number}` });
    await waitFor(() => current() === `${prefix}${number}`, { what: `${prefix}${number}` });
  }
}

describe.each(LAYOUTS)('a deleted %s mount', (layout) => {
  it('keeps the values of a deleted mount, reports it once, and follows rotations once it is back', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const log = record(store);
    for (let round = 1; round <= 3; round += 1) {
      const before = store.reveal('token');
      await mount.destroy();
      await waitFor(() => log.errors.length === round);
      await store.refresh();
      expect([store.reveal('token'), store.health().status]).toEqual([before, 'degraded']);

      await mount.recreate();
      await waitFor(() => log.recovered.length === round);
      await expectRotations(mount, () => store.reveal('token'), `round-${round}-`);
    }
    expect(log.codes()).toEqual(Array(3).fill('MOUNT_MISSING'));
    expect(store.health().status).toBe('ok');
  });

  it('follows rotations of a mount that is deleted and recreated at once', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    for (let round = 1; round <= 3; round += 1) {
      await mount.destroy();
      await mount.recreate();
      await expectRotations(mount, () => store.reveal('token'), `round-${round}-`);
    }
  });
});

describe('a mount whose layout changes', () => {
  it('follows rotations after every change of the layout', async () => {
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path, NO_POLL)],
    });
    const log = record(store);
    for (const [round, layout] of (['kubernetes', 'plain', 'kubernetes', 'plain'] as const).entries()) {
      await mount.convert(layout);
      await expectRotations(mount, () => store.reveal('token'), `round-${round}-`);
    }
    expect(log.codes()).toEqual([]);
  });
});

describe('a mount that appears late', () => {
  it.each(LAYOUTS)('opens a store once a late %s mount appears', async (layout) => {
    const path = join(temporaryDirectory(), 'not/there/yet');
    const opening = SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(path, { ...NO_POLL, waitForMountMs: 20_000 })],
    });
    mkdirSync(path, { recursive: true });
    await using writer = await startMountWriter({ content: { token: 'n0' }, path, layout });
    await using store = await opening;
    expect(store.reveal('token')).toBe('n0');
    for (const value of ['n1', 'n2', 'n3']) {
      await writer.rotate({ token: value });
      await waitFor(() => store.reveal('token') === value);
    }
  });

  it('rejects open with MOUNT_MISSING after waitForMountMs', async () => {
    const path = join(temporaryDirectory(), 'never');
    const before = Date.now();
    const opening = SecretStore.open({ sources: [mountedFiles(path, { waitForMountMs: 200 })] });
    await expect(opening).rejects.toMatchObject({ code: 'MOUNT_MISSING' });
    expect(Date.now() - before).toBeGreaterThanOrEqual(195);
  });

  it.each(LAYOUTS)(
    'replaces the environment by a late %s mount, without an event for equal values',
    async (layout) => {
      const path = join(temporaryDirectory(), 'not/there/yet');
      await using store = await SecretStore.open({
        secrets: { token: 'token', other: 'other' },
        sources: [
          mountedFiles(path, { ...NO_POLL, optional: true }),
          environment({ TOKEN: 'from-env', OTHER: 'only-env' }),
        ],
      });
      const log = record(store);
      expect([store.reveal('token'), store.get('token').source]).toEqual(['from-env', 'environment']);
      expect(store.report().sources[0]?.note).toContain('does not exist');

      await using mount = await createTestMount({ token: 'from-env' }, { path, layout });
      await waitFor(() => store.get('token').source === 'mounted-files');
      expect(log.changes, 'the same bytes from an earlier source are not a rotation').toEqual([]);
      await expectRotations(mount, () => store.reveal('token'), 'n');
      expect([store.reveal('other'), store.get('other').source]).toEqual(['only-env', 'environment']);
      expect(store.report().sources[0]?.note).toBeUndefined();
      expect(log.codes()).toEqual([]);
    },
  );
});
