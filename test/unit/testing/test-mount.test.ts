import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, watch } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTestMount, type TestMount, type TestMountContent } from '../../../src/testing/test-mount';

const TIMESTAMP = /^\.\.\d{4}(_\d\d){5}\.\d+$/;

async function mountOf(content: TestMountContent, options?: Parameters<typeof createTestMount>[1]) {
  const mount = await createTestMount(content, options);
  onTestFinished(() => mount.cleanup());
  return mount;
}

const read = (mount: TestMount, name: string) => readFileSync(join(mount.path, name), 'utf8');
const target = (mount: TestMount) => readlinkSync(join(mount.path, '..data'));
const visible = (mount: TestMount) =>
  readdirSync(mount.path)
    .filter((name) => !name.startsWith('..'))
    .sort();
const hidden = (mount: TestMount) =>
  readdirSync(mount.path)
    .filter((name) => name.startsWith('..'))
    .sort();

describe('a test mount in the Kubernetes layout', () => {
  it('links only the first part of each name in the Kubernetes layout', async () => {
    const mount = await mountOf({ a: '1', 'db/primary/password': '2' });

    expect(target(mount)).toMatch(TIMESTAMP);
    expect(hidden(mount)).toEqual(['..data', target(mount)].sort());
    expect(visible(mount)).toEqual(['a', 'db']);
    expect(readlinkSync(join(mount.path, 'a'))).toBe('..data/a');
    expect(readlinkSync(join(mount.path, 'db'))).toBe('..data/db');
    expect(read(mount, 'db/primary/password')).toBe('2');
  });

  it('swaps the directory of a Kubernetes layout, and removes the old one', async () => {
    const mount = await mountOf({ a: '1', b: '1' });
    const before = target(mount);

    await mount.rotate({ b: '2' });

    expect(target(mount)).not.toBe(before);
    expect(hidden(mount)).toEqual(['..data', target(mount)].sort());
    expect([read(mount, 'a'), read(mount, 'b')]).toEqual(['1', '2']);
  });

  it('causes file events in the order that the CSI driver does', async () => {
    const mount = await mountOf({ gone: '1', kept: '1' });
    const old = target(mount);
    const seen: string[] = [];
    const watcher = watch(mount.path, (_event, name) => seen.push(String(name)));
    onTestFinished(() => watcher.close());

    await mount.replace({ kept: '2', added: '2' });
    await expect.poll(() => seen.at(-1)).toBe(old);

    const fresh = target(mount);
    const order = seen.filter((name, index) => name !== seen[index - 1]);
    expect(order).toEqual([fresh, 'added', '..data_tmp', '..data', 'gone', old]);
    expect(visible(mount)).toEqual(['added', 'kept']);
  });

  it('does not swap a mount when nothing changes', async () => {
    const mount = await mountOf({ a: '1' });
    const before = target(mount);
    await mount.rotate({ a: '1' });
    await mount.remove('unknown');
    expect(target(mount)).toBe(before);
  });

  it('keeps a link that another nested secret still needs', async () => {
    const mount = await mountOf({ 'db/a': '1', 'db/b': '1' });
    await mount.remove('db/a');
    expect(visible(mount)).toEqual(['db']);
    expect(readdirSync(join(mount.path, 'db'))).toEqual(['b']);
    await mount.remove('db/b');
    expect(visible(mount)).toEqual([]);
  });

  it('writes the given bytes and permissions', async () => {
    const mount = await mountOf({ key: new Uint8Array([0, 255, 10]) }, { mode: 0o400 });
    expect([...readFileSync(join(mount.path, 'key'))]).toEqual([0, 255, 10]);
    expect(statSync(join(mount.path, 'key')).mode & 0o777).toBe(0o400);
    expect(statSync(join(mount.path, target(mount))).mode & 0o777).toBe(0o755);
  });
});

describe('a test mount in the plain layout', () => {
  it('writes plain files in place, or replaces them by rename', async () => {
    const mount = await mountOf({ a: '1', 'db/password': '1' }, { layout: 'plain' });
    const inode = () => statSync(join(mount.path, 'a')).ino;
    const first = inode();

    await mount.rotate({ a: '2' });
    expect([read(mount, 'a'), inode()]).toEqual(['2', first]);

    await mount.rotate({ a: '3' }, { rename: true });
    expect(read(mount, 'a')).toBe('3');
    expect(inode()).not.toBe(first);
    expect(hidden(mount)).toEqual([]);
  });

  it('removes plain files, and the directories that they leave empty', async () => {
    const mount = await mountOf({ a: '1', 'db/primary/password': '1' }, { layout: 'plain' });
    await mount.remove('db/primary/password');
    expect(visible(mount)).toEqual(['a']);
  });
});

describe('any test mount', () => {
  it.each(['kubernetes', 'plain'] as const)(
    'writes the content of a deleted %s mount again',
    async (layout) => {
      const mount = await mountOf({ a: '1' }, { layout });
      await mount.destroy();
      expect(existsSync(mount.path)).toBe(false);
      await mount.rotate({ b: '2' });
      await mount.recreate();
      expect([read(mount, 'a'), read(mount, 'b')]).toEqual(['1', '2']);
    },
  );

  it('converts a mount in place to the plain layout and back', async () => {
    const mount = await mountOf({ a: '1', 'db/password': '2' });
    const inode = statSync(mount.path).ino;

    await mount.convert('plain');
    expect([mount.layout, hidden(mount), read(mount, 'db/password')]).toEqual(['plain', [], '2']);
    expect(statSync(join(mount.path, 'a'), {}).isFile()).toBe(true);

    await mount.convert('kubernetes');
    expect(readlinkSync(join(mount.path, 'db'))).toBe('..data/db');
    expect([read(mount, 'a'), statSync(mount.path).ino]).toEqual(['1', inode]);
  });

  it('removes only the directories that the mount made', async () => {
    const base = await mkdtemp(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rm(base, { recursive: true }));
    mkdirSync(join(base, 'existing'));

    const made = await createTestMount({ a: '1' }, { path: join(base, 'x/y') });
    const inExisting = await createTestMount({ a: '1', 'db/b': '2' }, { path: join(base, 'existing') });
    const fresh = await createTestMount({ a: '1' });
    for (const mount of [made, inExisting, fresh]) {
      await mount.cleanup();
      await mount.cleanup();
    }

    expect(readdirSync(base)).toEqual(['existing']);
    expect(readdirSync(join(base, 'existing'))).toEqual([]);
    expect(existsSync(join(fresh.path, '..'))).toBe(false);
  });

  it.each([
    ['..data', 'FILE_OUTSIDE_MOUNT'],
    ['../a', 'FILE_OUTSIDE_MOUNT'],
    ['/etc/a', 'FILE_OUTSIDE_MOUNT'],
    ['a b', 'NAME_INVALID'],
    ['a/b', 'NAME_INVALID'],
  ])('refuses the name "%s" next to a secret "a", and changes nothing', async (name, code) => {
    const mount = await mountOf({ a: '1' });
    const before = target(mount);
    await expect(mount.rotate({ a: '2', [name]: 'hunter2' })).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining('hunter2'),
    });
    await sleep(0);
    expect([target(mount), read(mount, 'a')]).toEqual([before, '1']);
  });

  it.each([
    [{ layuot: 'plain' }, 'OPTION_UNKNOWN'],
    [{ layout: 'flat' }, 'OPTION_INVALID'],
    [{ path: '' }, 'OPTION_INVALID'],
    [{ mode: 0o1000 }, 'OPTION_INVALID'],
    ['plain', 'OPTION_INVALID'],
  ])('refuses to create a test mount with the options %o', async (options, code) => {
    await expect(createTestMount({ a: '1' }, options as object)).rejects.toMatchObject({ code });
  });

  it('refuses mount content that is not an object', async () => {
    const content = 'a' as unknown as TestMountContent;
    await expect(createTestMount(content)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('refuses a value that is neither text nor bytes, without showing it', async () => {
    const wrong = { a: 4711 } as unknown as TestMountContent;
    await expect(createTestMount(wrong)).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.not.stringContaining('4711'),
    });
  });
});
