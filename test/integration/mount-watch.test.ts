import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { canDropPrivileges } from '../support/as-other-user';
import { temporaryDirectory, write } from '../support/files';
import { startMountReader } from '../support/mount-reader';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };

function inotifyWatches(): number {
  const watches = readdirSync('/proc/self/fdinfo').map((descriptor) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8').match(/^inotify wd/gm)?.length ?? 0;
    } catch {
      return 0;
    }
  });
  return watches.reduce((sum, count) => sum + count, 0);
}

/** Opens a store without polls, and expects each value of `write` from the watch alone. */
async function expectWatched(root: string, name: string, change: (value: string) => void): Promise<void> {
  await using store = await SecretStore.open({
    secrets: { it: name },
    sources: [mountedFiles(root, NO_POLL)],
  });
  const log = record(store);
  for (const value of ['n1', 'n2', 'n3']) {
    change(value);
    await waitFor(() => store.reveal('it') === value, { what: value });
  }
  expect(new Set(log.changes.map(({ trigger }) => trigger))).toEqual(new Set(['watch']));
  expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
}

describe.skipIf(!canDropPrivileges)('a plain mount of mixed permissions', () => {
  it('survives that its mount may not be entered for a moment, reports it, and watches on', async () => {
    const root = join(temporaryDirectory(), 'mount');
    for (let number = 0; number < 300; number += 1) write(join(root, `f${number}`), 'n0');
    const reader = await startMountReader(root, ['f1', 'f2'], 200);
    for (let round = 1; round <= 3; round += 1) {
      chmodSync(root, 0);
      await waitFor(() => reader.said.filter(({ error }) => error !== undefined).length >= round);
      chmodSync(root, 0o755);
      await waitFor(() => reader.said.filter(({ recovered }) => recovered !== undefined).length >= round);
      write(join(root, 'f1'), `n${round}`);
      await reader.serves('f1', `n${round}`);
    }
    expect([reader.child.exitCode, await reader.end()]).toEqual([null, 0]);
    expect(reader.said.at(-1)).toEqual({ health: 'ok' });
  });

  it.each(['lost+found', 'accounts'])(
    'watches a declared file next to the directory %s, which may not be entered',
    async (forbidden) => {
      const root = join(temporaryDirectory(), 'mount');
      write(join(root, 'token'), 'n0');
      mkdirSync(join(root, forbidden), { mode: 0 });
      const reader = await startMountReader(root, ['token']);
      for (const value of ['n1', 'n2', 'n3']) {
        write(join(root, 'token'), value);
        expect(await reader.serves('token', value)).toMatchObject({ trigger: 'watch' });
      }
      await reader.end();
      expect(reader.said.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(reader.said.at(-1)).toEqual({ health: 'ok' });
    },
  );

  it('watches what it can when the directory of one declared file may not be listed, and says so', async () => {
    const root = join(temporaryDirectory(), 'mount');
    write(join(root, 'token'), 'n0');
    write(join(root, 'closed/password'), 'n0');
    chmodSync(join(root, 'closed'), 0o711);
    const reader = await startMountReader(root, ['token', 'closed/password'], 500);
    await waitFor(() => reader.said.some(({ error }) => error === 'WATCH_UNAVAILABLE'));
    for (const value of ['n1', 'n2', 'n3']) {
      write(join(root, 'token'), value);
      expect(await reader.serves('token', value)).toMatchObject({ trigger: 'watch' });
      write(join(root, 'closed/password'), value);
      // By a poll, or with a late event of the other file.
      await reader.serves('closed/password', value);
    }
    chmodSync(join(root, 'closed'), 0o755);
    await waitFor(() => reader.said.some(({ recovered }) => recovered === 'WATCH_UNAVAILABLE'));
    expect(reader.said.filter(({ error }) => error !== undefined)).toHaveLength(1);
    await reader.end();
  });
});

describe('the watch of a plain directory', () => {
  it.skipIf(process.platform !== 'linux')(
    'takes one watch for one declared file among two thousand, and one for each directory in discovery',
    async () => {
      const root = join(temporaryDirectory(), 'mount');
      write(join(root, 'password'), 'n0');
      for (let file = 0; file < 2000; file += 1) write(join(root, `p${file % 20}/f${file}`), 'x');
      const before = inotifyWatches();
      await using _ = await SecretStore.open({
        secrets: { password: 'password', deep: 'p3/f3' },
        sources: [mountedFiles(root, NO_POLL)],
      });
      await waitFor(() => inotifyWatches() - before === 2);
      await using store = await SecretStore.open({ sources: [mountedFiles(root, NO_POLL)] });
      expect(store.names()).toHaveLength(2001);
      await waitFor(() => inotifyWatches() - before === 21);
    },
  );

  it.each([{ rename: false }, { rename: true }])(
    'finds rotations in discovery, in subdirectories too (replaced by rename: $rename)',
    async (options) => {
      await using mount = await createTestMount(
        { token: 'n0', 'db/primary/password': 'n0' },
        { layout: 'plain' },
      );
      await using store = await SecretStore.open({ sources: [mountedFiles(mount.path, NO_POLL)] });
      const log = record(store);
      for (const value of ['n1', 'n2', 'n3']) {
        await mount.rotate({ token: value }, options);
        await waitFor(() => store.reveal('token') === value);
        await mount.rotate({ 'db/primary/password': value }, options);
        await waitFor(() => store.reveal('db/primary/password') === value);
      }
      expect(new Set(log.changes.map(({ trigger }) => trigger))).toEqual(new Set(['watch']));
      expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
    },
  );

  it('watches directories that appear later, and those that are replaced', async () => {
    const root = join(temporaryDirectory(), 'mount');
    write(join(root, 'token'), 'n0');
    await using store = await SecretStore.open({ sources: [mountedFiles(root, NO_POLL)] });
    const revealed = () => (store.has('db/inner/password') ? store.reveal('db/inner/password') : undefined);
    for (const value of ['n1', 'n2', 'n3']) {
      rmSync(join(root, 'db'), { recursive: true, force: true });
      write(join(root, 'db/inner/password'), value);
      await waitFor(() => revealed() === value);
      write(join(root, 'next/inner/password'), `${value}, renamed`);
      rmSync(join(root, 'db'), { recursive: true });
      renameSync(join(root, 'next'), join(root, 'db'));
      await waitFor(() => revealed() === `${value}, renamed`);
    }
  });

  it('watches a declared file whose directories appear one after the other', async () => {
    const root = join(temporaryDirectory(), 'mount');
    write(join(root, 'token'), 'n0');
    await using store = await SecretStore.open({
      secrets: { token: 'token', late: secret.text('a/b/late').optional() },
      sources: [mountedFiles(root, NO_POLL)],
    });
    const next = ['a', 'a/b', 'a/b/late'];
    for (const [index, path] of next.entries()) {
      if (path.endsWith('late')) write(join(root, path), 'n1');
      else mkdirSync(join(root, path));
      write(join(root, 'token'), `n${index + 1}`);
      await waitFor(() => store.reveal('token') === `n${index + 1}`);
    }
    for (const value of ['n1', 'n2', 'n3']) {
      write(join(root, 'a/b/late'), value);
      await waitFor(() => store.reveal('late') === value);
    }
  });

  it('finds rotations of a declared file that lies deeper than discovery lists', async () => {
    const root = join(temporaryDirectory(), 'mount');
    const file = 'a/b/c/d/e/f/g/h/i/j/token';
    write(join(root, file), 'n0');
    await expectWatched(root, file, (value) => write(join(root, file), value));
  });
});

describe('a mount with links', () => {
  it('finds rotations below a mount path that is a link to a plain directory', async () => {
    const base = temporaryDirectory();
    write(join(base, 'real/token'), 'n0');
    symlinkSync('real', join(base, 'link'));
    await expectWatched(join(base, 'link'), 'token', (value) => write(join(base, 'real/token'), value));
  });

  it('finds it when the link of the mount path is pointed at another directory', async () => {
    const base = temporaryDirectory();
    write(join(base, 'n0/secrets/token'), 'n0');
    symlinkSync('n0', join(base, 'current'));
    await expectWatched(join(base, 'current/secrets'), 'token', (value) => {
      write(join(base, value, 'secrets/token'), value);
      symlinkSync(value, join(base, 'next'));
      renameSync(join(base, 'next'), join(base, 'current'));
    });
  });

  it('finds rotations of a file behind links to other directories of the mount', async () => {
    const root = join(temporaryDirectory(), 'mount');
    write(join(root, 'archive/key-n0'), 'n0');
    mkdirSync(join(root, 'live'));
    symlinkSync('../archive', join(root, 'live/all'));
    symlinkSync('all/key-n0', join(root, 'live/key'));
    await expectWatched(root, 'live/key', (value) => {
      // In place first, which only the directory of the target shows.
      if (value === 'n1') return write(join(root, 'archive/key-n0'), value);
      write(join(root, `archive/key-${value}`), value);
      symlinkSync(`all/key-${value}`, join(root, 'live/next'));
      renameSync(join(root, 'live/next'), join(root, 'live/key'));
    });
  });

  it.each([
    ['an absolute link below a linked mount path', (base: string) => join(base, 'real/..g')],
    ['an absolute link through another link', (base: string) => join(base, 'other/..g')],
    ['a relative link', () => '..g'],
  ])('serves a ..data that is %s, and finds its swaps', async (_what, target) => {
    const base = temporaryDirectory();
    const swap = (value: string) => {
      write(join(base, `real/..g${value}/token`), value);
      symlinkSync(`${target(base)}${value}`, join(base, 'real/..data_tmp'));
      renameSync(join(base, 'real/..data_tmp'), join(base, 'real/..data'));
    };
    swap('n0');
    symlinkSync('real', join(base, 'other'));
    symlinkSync('real', join(base, 'link'));
    await expectWatched(join(base, 'link'), 'token', swap);
  });
});
