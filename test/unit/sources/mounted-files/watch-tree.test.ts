import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, sourceContract } from 'hot-secrets/testing';
import { describe, expect, it, vi } from 'vitest';
import { record } from '../../../support/store-log';
import { waitFor } from '../../../support/wait-for';

vi.mock('chokidar', () => {
  throw new TypeError('A dynamic import callback was not specified.');
});

/** No poll comes within a test. */
async function openPlain(content: Readonly<Record<string, string>>) {
  const mount = await createTestMount(content, { layout: 'plain' });
  const store = await SecretStore.open({ sources: [mountedFiles(mount.path, { pollIntervalMs: 600_000 })] });
  return { mount, store, log: record(store) };
}

const revealed = (store: SecretStore, name: string) => (store.has(name) ? store.reveal(name) : undefined);

describe('a plain directory, where chokidar cannot be imported', () => {
  it('has no chokidar in this file', async () => {
    await expect(import('chokidar')).rejects.toThrow();
  });

  it.each([{ rename: false }, { rename: true }])(
    'is watched all the same (replaced by rename: $rename)',
    async (options) => {
      const { mount, store, log } = await openPlain({ token: 'n0', 'db/primary/password': 'n0' });
      for (const value of ['n1', 'n2', 'n3']) {
        await mount.rotate({ token: value }, options);
        await waitFor(() => store.reveal('token') === value);
        await mount.rotate({ 'db/primary/password': value }, options);
        await waitFor(() => store.reveal('db/primary/password') === value);
      }
      expect(new Set(log.changes.map(({ trigger }) => trigger))).toEqual(new Set(['watch']));
      expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
      await store.close();
      await mount.cleanup();
    },
  );

  it('is watched in directories that appear later, and that are replaced', async () => {
    const { mount, store } = await openPlain({ token: 'n0' });
    for (const value of ['n1', 'n2', 'n3']) {
      rmSync(join(mount.path, 'db'), { recursive: true, force: true });
      mkdirSync(join(mount.path, 'db/inner'), { recursive: true });
      writeFileSync(join(mount.path, 'db/inner/password'), value);
      await waitFor(() => revealed(store, 'db/inner/password') === value);
      const next = join(mount.path, 'next');
      mkdirSync(join(next, 'inner'), { recursive: true });
      writeFileSync(join(next, 'inner/password'), `${value}, renamed`);
      rmSync(join(mount.path, 'db'), { recursive: true });
      renameSync(next, join(mount.path, 'db'));
      await waitFor(() => revealed(store, 'db/inner/password') === `${value}, renamed`);
    }
    await store.close();
    await mount.cleanup();
  });

  it('is found again when it is deleted and made anew', async () => {
    const { mount, store } = await openPlain({ token: 'n0' });
    for (const value of ['n1', 'n2', 'n3']) {
      await mount.destroy();
      await mount.rotate({ token: value });
      await mount.recreate();
      await waitFor(() => store.reveal('token') === value);
    }
    await store.close();
    await mount.cleanup();
  });
});

describe('mountedFiles without chokidar keeps the contract of sources', () => {
  const harness = {
    async create(content: Readonly<Record<string, string | Uint8Array>>) {
      const mount = await createTestMount(content, { layout: 'plain' });
      return {
        source: mountedFiles(mount.path, { pollIntervalMs: 600_000 }),
        set: (values: Readonly<Record<string, string | Uint8Array>>) => mount.rotate(values),
        remove: (...names: string[]) => mount.remove(...names),
        dispose: () => mount.cleanup(),
      };
    },
  };
  for (const one of sourceContract(harness)) it(one.name, one.run);
});
