import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { mountState } from '../../../../src/sources/mounted-files/layout';
import { watchMount } from '../../../../src/sources/mounted-files/watch';
import { createTestMount } from '../../../../src/testing/test-mount';
import { waitFor } from '../../../support/wait-for';

function startWatch(root: string, pollIntervalMs = 600_000) {
  const listener = { hint: vi.fn(), problem: vi.fn(), solved: vi.fn() };
  const watch = watchMount(root, { pollIntervalMs, listener, state: mountState(root) });
  onTestFinished(() => watch.close());
  return { ...listener, watch, follow: () => watch.follow(mountState(root)) };
}

describe('the watch of a mount', () => {
  it('hints once for each swap of a Kubernetes mount, and not for other writes', async () => {
    await using mount = await createTestMount({ a: '0', b: '0' });
    const { hint } = startWatch(mount.path);
    for (let round = 1; round <= 3; round += 1) {
      await mount.rotate({ a: String(round) });
      await waitFor(() => hint.mock.calls.length === round);
    }
    writeFileSync(join(mount.path, '..unrelated'), '');
    await sleep(50);
    expect(hint.mock.calls).toEqual([['watch'], ['watch'], ['watch']]);
  });

  it('hints at every poll interval, even without file events, until it is closed', async () => {
    await using mount = await createTestMount({ a: '0' });
    const { hint, watch } = startWatch(mount.path, 10);
    await waitFor(() => hint.mock.calls.length >= 5);
    await watch.close();
    const count = hint.mock.calls.length;
    await sleep(50);
    expect(hint.mock.calls).toEqual(Array(count).fill(['poll']));
  });

  it('hints when a mount is created together with the directories above it', async () => {
    const base = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const { hint, problem, follow } = startWatch(join(base, 'a/b/mount'));
    await using _ = await createTestMount({ x: '0' }, { path: join(base, 'a/b/mount') });
    await waitFor(() => hint.mock.calls.length > 0);
    follow();
    // Nothing was watched before the new watcher was ready, so it always hints.
    expect(hint.mock.calls.length).toBeGreaterThan(1);
    expect(problem).not.toHaveBeenCalled();
  });

  it('ignores the siblings of an absent mount', async () => {
    const base = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const { hint } = startWatch(join(base, 'mount'));
    for (const name of ['x', 'y', 'mountain']) writeFileSync(join(base, name), '');
    await sleep(100);
    expect(hint).not.toHaveBeenCalled();
  });

  it('does not hint after close, even after a call of follow', async () => {
    await using mount = await createTestMount({ a: '0' }, { layout: 'plain' });
    const { hint, watch, follow } = startWatch(mount.path);
    await mount.rotate({ a: '1' });
    await watch.close();
    hint.mockClear();
    follow();
    await mount.rotate({ a: '2' });
    await sleep(100);
    expect(hint).not.toHaveBeenCalled();
    await watch.close();
  });

  it('does not hint when the state of the mount has not changed', async () => {
    await using mount = await createTestMount({ a: '0' });
    const { hint, solved, follow } = startWatch(mount.path);
    for (let round = 0; round < 5; round += 1) follow();
    expect([hint.mock.calls, solved.mock.calls.length]).toEqual([[], 1]);
  });
});
