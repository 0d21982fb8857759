import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { createTestMount, type TestMount, type TestMountLayout } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { asOtherUser, canDropPrivileges, otherUser } from '../support/as-other-user';
import { childFile } from '../support/child-file';
import { record } from '../support/store-log';

const MARKER = 'marker-value-of-a-denied-secret';
const LAYOUTS = ['kubernetes', 'plain'] as const;

async function mountFor(content: Record<string, string>, layout: TestMountLayout): Promise<TestMount> {
  const mount = await createTestMount(content, { layout });
  chmodSync(dirname(mount.path), 0o755);
  onTestFinished(async () => {
    chmodSync(mount.path, 0o755);
    await mount.cleanup();
  });
  return mount;
}

const openToken = (mount: TestMount) =>
  asOtherUser(() => SecretStore.open({ secrets: { token: 'token' }, sources: [mountedFiles(mount.path)] }));

describe.skipIf(!canDropPrivileges).each(LAYOUTS)('a %s mount without read permission', (layout) => {
  it.each([0o700, 0o744])(
    'names mode, owner and user when open cannot read the mount (mode %o)',
    async (mode) => {
      const mount = await mountFor({ token: MARKER }, layout);
      chmodSync(mount.path, process.geteuid?.() === 0 ? mode : 0);
      const error = await openToken(mount).then(String, (reason) => reason);
      // With "r" but without "x" a plain directory can be listed, but its files cannot be read.
      expect(error.code).toMatch(/^(MOUNT_UNREADABLE|FILE_UNREADABLE)$/);
      expect(error.message).toContain(mount.path);
      expect(error.message).toContain('EACCES');
      expect(error.message).toContain(`this process runs as uid ${otherUser}`);
      if (mode === 0o700) expect(error.message).toMatch(/mode 0\d00, owner \d+:\d+/);
      expect(error.message).not.toContain(MARKER);
    },
  );

  it('names the file, its mode and the user when open cannot read a file', async () => {
    const mount = await mountFor({ token: MARKER }, layout);
    chmodSync(join(mount.path, 'token'), 0o200);
    const error = await openToken(mount).then(String, (reason) => reason);
    expect(error).toMatchObject({ code: 'FILE_UNREADABLE', secret: 'token' });
    expect(error.message).toMatch(
      /token\b.* cannot be read: EACCES \(mode 0200, owner \d+:\d+, this process/,
    );
    expect(error.message).toContain(`uid ${otherUser}`);
    expect(error.message).toContain('filePermission');
  });

  it('keeps its values while a mount or a file is unreadable, reports that once, and recovers', async () => {
    const mount = await mountFor({ token: 'n0', user: 'n0' }, layout);
    // Without the watch, whose refreshes would run as root.
    const { watch: _, ...source } = mountedFiles(mount.path);
    await using store = await SecretStore.open({
      secrets: { token: 'token', user: 'user' },
      sources: [source],
    });
    const log = record(store);
    const refresh = () => asOtherUser(() => store.refresh());

    for (const [round, path] of [mount.path, join(mount.path, 'token'), mount.path].entries()) {
      await mount.rotate({ token: `n${round + 1}`, user: `n${round + 1}` });
      chmodSync(path, 0o000);
      await refresh();
      await refresh();
      expect([store.reveal('token'), store.reveal('user')]).toEqual([`n${round}`, `n${round}`]);
      expect(log.errors).toHaveLength(round + 1);
      chmodSync(path, 0o755);
      await refresh();
      expect([store.reveal('token'), store.reveal('user')]).toEqual([`n${round + 1}`, `n${round + 1}`]);
      expect(log.recovered).toHaveLength(round + 1);
    }
    expect(log.codes()).toEqual(['MOUNT_UNREADABLE', 'FILE_UNREADABLE', 'MOUNT_UNREADABLE']);
    expect(store.health().status).toBe('ok');
  });

  it('serves the other files when one directory of the mount is unreadable', async () => {
    const mount = await mountFor({ token: 'n0', 'private/key': MARKER }, layout);
    chmodSync(join(mount.path, 'private'), 0o000);
    const { watch: _, ...source } = mountedFiles(mount.path);
    await using store = await asOtherUser(() => SecretStore.open({ sources: [source] }));
    const log = record(store);
    expect(store.names()).toEqual(['token']);
    expect(() => store.reveal('private')).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    expect(store.health().secrets).toEqual([{ name: 'private', problem: 'FILE_UNREADABLE' }]);
    chmodSync(join(mount.path, 'private'), 0o755);
    await asOtherUser(() => store.refresh());
    expect(store.reveal('private/key')).toBe(MARKER);
    expect([log.recovered.length, store.health().status]).toEqual([1, 'ok']);
  });
});

describe.each(LAYOUTS)('a file of a %s mount that cannot be read for another cause', (layout) => {
  const opened = async (mount: TestMount, alias: string) => {
    const open = SecretStore.open({ secrets: { token: alias }, sources: [mountedFiles(mount.path)] });
    return open.then(String, (reason) => reason);
  };

  it('names a link that leads to itself', async () => {
    const mount = await mountFor({ other: MARKER }, layout);
    const folder = layout === 'kubernetes' ? join(mount.path, '..data') : mount.path;
    symlinkSync('token', join(folder, 'token'));
    const error = await opened(mount, 'token');
    expect(error).toMatchObject({ code: 'FILE_UNREADABLE', next: 'Remove the link that leads to itself.' });
    expect(error.message).toContain('ELOOP');
    expect(error.message).not.toContain('permission');
  });

  it('names a path that is too long for the file system', async () => {
    const mount = await mountFor({ other: MARKER }, layout);
    const error = await opened(mount, 'a'.repeat(256));
    expect(error).toMatchObject({
      code: 'FILE_UNREADABLE',
      next: 'Shorten `file` of the definition, or its alias.',
    });
    expect(error.message).toContain('ENAMETOOLONG');
  });

  it('names the limit of open files, keeps the value, and recovers', async () => {
    const mount = await mountFor({ token: MARKER }, layout);
    const child = childFile(join(import.meta.dirname, '../support/few-descriptors-child.ts'));
    const limited = ['-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath, child, mount.path];
    const printed = execFileSync('sh', limited, { encoding: 'utf8' });
    const { before, during, errors, status } = JSON.parse(printed);
    expect([before === MARKER, during === MARKER, status]).toEqual([true, true, 'ok']);
    expect(errors).toEqual([{ code: expect.any(String), message: expect.stringContaining('EMFILE') }]);
    expect(errors[0].message).toContain('raise its limit (ulimit -n)');
    expect(errors[0].message).not.toMatch(/permission|fsGroup|securityContext/i);
  });
});
