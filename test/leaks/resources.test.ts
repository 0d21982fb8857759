import { readdirSync, readFileSync } from 'node:fs';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for';

/** Counts the watches of this process in the kernel: Node leaves out unreferenced ones. */
function watches(): number {
  const descriptors = readdirSync('/proc/self/fdinfo').map((name) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${name}`, 'utf8');
    } catch {
      return '';
    }
  });
  return descriptors.join('\n').match(/^inotify /gm)?.length ?? 0;
}

describe.skipIf(process.platform !== 'linux')('the watches of a mount', () => {
  it.each([
    ['kubernetes', 'while idle'],
    ['plain', 'while idle'],
    ['kubernetes', 'during a rotation'],
    ['plain', 'during a rotation'],
  ] as const)(
    'ends the watches of a %s mount and emits no change once the store is closed %s',
    async (layout, when) => {
      const before = watches();
      await using mount = await createTestMount({ token: 'n0' }, { layout });
      const open = () =>
        SecretStore.open({
          secrets: { token: 'token' },
          sources: [mountedFiles(mount.path, { pollIntervalMs: 10 })],
        });
      for (let round = 0; round < 3; round += 1) {
        const store = await open();
        if (layout === 'kubernetes') expect(watches(), 'one watch for all files').toBe(before + 1);
        else await waitFor(() => watches() > before);
        const changes: unknown[] = [];
        store.on('change', (event) => changes.push(event));
        await mount.rotate({ token: `round-${round}-1` });
        if (when === 'while idle') {
          await waitFor(() => store.reveal('token') === `round-${round}-1`);
          await store.close();
        } else {
          const refreshing = store.refresh();
          await mount.destroy();
          await mount.recreate();
          await Promise.all([store.close(), store.close()]);
          await refreshing;
        }
        await waitFor(() => watches() === before, { what: 'the watches to end' });
        const count = changes.length;
        const witness = await open();
        await mount.rotate({ token: `round-${round}-2` });
        await waitFor(() => witness.reveal('token') === `round-${round}-2`);
        expect(changes).toHaveLength(count);
        await witness.close();
        await waitFor(() => watches() === before);
      }
    },
  );

  it('ends the watches of a mount when open fails', async () => {
    const before = watches();
    await using mount = await createTestMount({ token: 'n0' }, { layout: 'plain' });
    for (let round = 0; round < 3; round += 1) {
      const opening = SecretStore.open({
        secrets: { token: 'token', other: 'other' },
        sources: [mountedFiles(mount.path)],
      });
      await expect(opening).rejects.toMatchObject({ code: 'SECRET_MISSING' });
    }
    expect(watches()).toBe(before);
  });
});

describe('the memory of a store', () => {
  it('grows the heap by less than 2 MB over 3000 refreshes', async () => {
    const { default: v8 } = await import('node:v8');
    v8.setFlagsFromString('--expose-gc');
    const collect = (await import('node:vm')).runInNewContext('gc') as () => void;
    await using mount = await createTestMount({ token: 'x'.repeat(1000) });
    await using store = await SecretStore.open({
      secrets: { token: 'token' },
      sources: [mountedFiles(mount.path)],
    });
    const refreshOften = async (times: number) => {
      for (let time = 0; time < times; time += 1) await store.refresh();
      collect();
      return process.memoryUsage().heapUsed;
    };
    const warm = await refreshOften(1000);
    const later = await refreshOften(3000);
    // Keeping each reading would take 3 MB.
    expect(later - warm).toBeLessThan(2_000_000);
  });
});
