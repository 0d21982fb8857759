import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { expect, it, vi } from 'vitest';
import { record } from '../../../support/store-log';
import { waitFor } from '../../../support/wait-for';

const loading = vi.hoisted(() => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { finished, finish };
});

vi.mock('chokidar', async (importOriginal) => {
  await loading.finished;
  return importOriginal();
});

it('reports a plain mount that was deleted before chokidar had loaded, and follows it once it is back', async () => {
  await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
  await using store = await SecretStore.open({
    secrets: { token: 'token' },
    sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })],
  });
  const log = record(store);
  await mount.destroy();
  loading.finish();
  await waitFor(() => log.errors.length === 1);
  expect(log.codes()).toEqual(['MOUNT_MISSING']);
  await mount.recreate();
  for (const value of ['n1', 'n2', 'n3']) {
    await mount.rotate({ token: value });
    await waitFor(() => store.reveal('token') === value);
  }
});
