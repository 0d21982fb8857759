import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory, write } from '../support/files';
import { startMountWriter } from '../support/mount-writer';
import { record } from '../support/store-log';
import { startSwapper } from '../support/swapper';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };
const POLL = { pollIntervalMs: 20 };

describe('a key that becomes a directory', () => {
  it.each(['kubernetes', 'plain'] as const)(
    'serves the other secrets of a %s mount after a discovered key became a directory, and back',
    async (layout) => {
      await using mount = await createTestMount({ db: 'old', password: 'p0' }, { layout });
      const replace = async (content: Record<string, string>) => {
        if (layout === 'kubernetes') return mount.replace(content);
        rmSync(join(mount.path, 'db'), { recursive: true });
        for (const [name, value] of Object.entries(content)) write(join(mount.path, name), value);
      };
      await using store = await SecretStore.open({ sources: [mountedFiles(mount.path, NO_POLL)] });
      const log = record(store);
      for (let round = 1; round <= 3; round += 1) {
        await replace({ 'db/primary': `n${round}`, password: `p${round}` });
        await waitFor(() => store.reveal('password') === `p${round}` && store.has('db/primary'));
        expect(store.names().toSorted()).toEqual(['db/primary', 'password']);
        await replace({ db: 'again', password: `q${round}` });
        await waitFor(() => store.reveal('password') === `q${round}` && store.has('db'));
        expect(store.names().toSorted()).toEqual(['db', 'password']);
      }
      // Once for each time that the name of the start is gone together with other changes.
      expect(log.codes()).toEqual(Array(3).fill('SECRET_VANISHED'));
      expect([log.recovered.length, store.health().status]).toEqual([3, 'ok']);
    },
  );

  it.each([
    ['a directory', (path: string) => mkdirSync(join(path, 'part'), { recursive: true })],
    [
      'a link to a directory',
      (path: string) => {
        mkdirSync(`${path}-parts`);
        symlinkSync(`${path}-parts`, path);
      },
    ],
  ])(
    'keeps the value of an optional secret whose file became %s, and rotates the others',
    async (_what, make) => {
      const root = temporaryDirectory();
      write(join(root, 'db'), 'old');
      write(join(root, 'password'), 'p0');
      await using store = await SecretStore.open({
        secrets: { db: secret.text('db').optional(), password: 'password' },
        sources: [mountedFiles(root, NO_POLL)],
      });
      const log = record(store);
      rmSync(join(root, 'db'));
      make(join(root, 'db'));
      for (const value of ['p1', 'p2', 'p3']) {
        write(join(root, 'password'), value);
        await waitFor(() => store.reveal('password') === value);
      }
      expect([store.reveal('db'), log.codes()]).toEqual(['old', ['SECRET_VANISHED']]);
    },
  );

  it('names the directory when a required secret is one at open', async () => {
    await using mount = await createTestMount({ 'db/primary': 'x' });
    const opening = SecretStore.open({ secrets: { db: 'db' }, sources: [mountedFiles(mount.path)] });
    await expect(opening).rejects.toMatchObject({
      code: 'SECRET_MISSING',
      message: expect.stringContaining(`${mount.path}/db, which is a directory (it has: db/primary)`),
    });
  });
});

describe('a file below ..data that is written in place', () => {
  it.each([
    ['through its link', (mount: string) => join(mount, 'password')],
    ['in its directory', (mount: string) => join(mount, '..data/password')],
  ])('finds by a poll what is written in place (%s)', async (_how, path) => {
    await using mount = await createTestMount({ password: 'p0', 'db/user': 'u0' });
    await using store = await SecretStore.open({
      secrets: { password: 'password', user: 'db/user' },
      sources: [mountedFiles(mount.path, POLL)],
    });
    const log = record(store);
    for (const value of ['p1', 'p2', 'p3']) {
      // Of the same length, so that only times differ.
      write(path(mount.path), value);
      await waitFor(() => store.reveal('password') === value);
    }
    write(join(mount.path, 'db/user'), 'u1');
    await waitFor(() => store.reveal('user') === 'u1');
    await mount.rotate({ password: 'p4' });
    await waitFor(() => store.reveal('password') === 'p4');
    expect([new Set(log.changes.slice(0, 4).map(({ trigger }) => trigger)), log.codes()]).toEqual([
      new Set(['poll']),
      [],
    ]);
  });

  it('publishes no part of a file below ..data that is written in steps', async () => {
    await using mount = await createTestMount({ password: 'p0' });
    await using store = await SecretStore.open({
      secrets: { password: 'password' },
      sources: [mountedFiles(mount.path, POLL)],
    });
    const seen = new Set<string>();
    store.watch('password', (current) => seen.add(current.reveal()));
    const whole = 'part-'.repeat(20);
    for (let round = 0; round < 3; round += 1) {
      writeFileSync(join(mount.path, 'password'), '');
      for (let length = 5; length <= whole.length; length += 5) {
        writeFileSync(join(mount.path, 'password'), whole.slice(length - 5, length), { flag: 'a' });
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
      await waitFor(() => store.reveal('password') === whole);
      await mount.rotate({ password: `n${round}` });
      await waitFor(() => store.reveal('password') === `n${round}`);
    }
    expect([...seen].sort()).toEqual(['n0', 'n1', 'n2', 'p0', whole]);
  });
});

describe('volumes below one directory', () => {
  it('serves each nested volume under its own names, without those of its writer', async () => {
    const top = temporaryDirectory();
    await using db = await createTestMount({ user: 'u0', password: 'p0' }, { path: join(top, 'db') });
    await using _ = await createTestMount({ 'tls/key': 'k' }, { path: join(top, 'a/b') });
    await using store = await SecretStore.open({ sources: [mountedFiles(top, NO_POLL)] });
    const log = record(store);
    for (let round = 1; round <= 5; round += 1) {
      await db.rotate({ user: `u${round}`, password: `p${round}` });
      await waitFor(() => store.reveal('db/password') === `p${round}`);
      expect(store.names().toSorted()).toEqual(['a/b/tls/key', 'db/password', 'db/user']);
    }
    await db.remove('user');
    await waitFor(() => !store.has('db/user'));
    expect(store.names().toSorted()).toEqual(['a/b/tls/key', 'db/password']);
    expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
  });

  it('serves no torn pair of a nested volume that another process swaps without pause', async () => {
    const top = temporaryDirectory();
    await using writer = await startMountWriter({
      content: { user: 'n0', password: 'n0' },
      path: join(top, 'db'),
    });
    await using store = await SecretStore.open({
      secrets: { user: 'db/user', password: 'db/password' },
      sources: [mountedFiles(top, POLL)],
    });
    record(store);
    const torn: string[] = [];
    store.on('change', () => {
      const { user, password } = { user: store.reveal('user'), password: store.reveal('password') };
      if (user !== password) torn.push(`${user} ${password}`);
    });
    for (let round = 1; round <= 3; round += 1) {
      const prefix = `round-${round}-`;
      const times = 100;
      await writer.swapTimes(times, { names: ['user', 'password'], prefix, gapMs: 1 });
      await waitFor(() => store.reveal('user') === `${prefix}${times}`);
    }
    expect(torn).toEqual([]);
  });
});

describe('links of a mount', () => {
  it.each([
    ['to itself', (root: string, name: string) => symlinkSync('.', join(root, name))],
    ['to its parent', (root: string, name: string) => symlinkSync('..', join(root, 'db', name))],
    ['to the directory next to it', (root: string, name: string) => symlinkSync('db', join(root, name))],
    ['in a circle', (root: string, name: string) => symlinkSync(`../${name}`, join(root, 'db', name))],
  ])('lists each directory once, whatever links lead %s', async (_where, link) => {
    const root = temporaryDirectory();
    write(join(root, 'token'), 't');
    write(join(root, 'db/password'), 'p');
    for (const name of ['l1', 'l2', 'l3', 'l4', 'l5']) link(root, name);
    await using store = await SecretStore.open({ sources: [mountedFiles(root)] });
    record(store);
    expect(store.names().toSorted()).toEqual(['db/password', 'token']);
  });

  it.each([
    ['of ..data', { '..data': '../outside' }],
    ['of what ..data leads to', { '..data': '..g', '..g': '../outside' }],
    ['of a directory above what ..data leads to', { '..data': '..g/inner', '..g': '../outside' }],
  ])('refuses a mount whose link %s leads out of it', async (_what, links) => {
    const base = temporaryDirectory();
    write(join(base, 'outside/token'), 'OUTSIDE');
    write(join(base, 'outside/inner/token'), 'OUTSIDE');
    mkdirSync(join(base, 'mount'));
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(base, 'mount', name));
    const sources = [mountedFiles(join(base, 'mount'))];
    const declared = SecretStore.open({ secrets: { token: 'token' }, sources });
    await expect(declared).rejects.toMatchObject({ code: 'FILE_OUTSIDE_MOUNT' });
    await expect(SecretStore.open({ sources })).rejects.toMatchObject({ code: 'FILE_OUTSIDE_MOUNT' });
  });

  it('reports a directory outside the mount as one problem, without a name of what lies in it', async () => {
    const base = temporaryDirectory();
    for (let file = 0; file < 20; file += 1) write(join(base, `outside/private-${file}`), 'OUTSIDE');
    write(join(base, 'mount/token'), 't');
    symlinkSync('../outside', join(base, 'mount/sub'));
    await using store = await SecretStore.open({ sources: [mountedFiles(join(base, 'mount'))] });
    record(store);
    const said = JSON.stringify([store.report(), store.health()]);
    expect([store.names(), said.includes('private-')]).toEqual([['token'], false]);
    expect(() => store.reveal('sub')).toThrow(
      expect.objectContaining({
        code: 'FILE_OUTSIDE_MOUNT',
        message: expect.stringContaining(`leads out of the mount ${base}/mount, to ${base}/outside`),
        next: `Put the file itself into the mount, or use ${base}, which contains both, as the mount.`,
      }),
    );
  });

  it.each([
    ['a file', '..d/token', '../../outside/token', 'inner'],
    ['the directory of a file', '..d/sub', '../../outside/sub', 'inner-sub'],
    ['the directory of the generation', '..d', '../outside', '..inside'],
    ['..data', '..data', '../outside', '..d'],
  ])(
    'serves nothing of outside while a process swaps the link of %s',
    async (_what, link, outside, inside) => {
      const base = temporaryDirectory();
      write(join(base, 'outside/token'), 'OUTSIDE');
      write(join(base, 'outside/sub/token'), 'OUTSIDE');
      const mount = join(base, 'mount');
      for (const directory of ['..inside', ...(link === '..d' ? [] : ['..d'])]) {
        for (const file of ['token', 'inner', 'sub/token', 'inner-sub/token'])
          write(join(mount, directory, file), 'v');
      }
      if (link === '..d') symlinkSync('..inside', join(mount, '..d'));
      if (link === '..d/token' || link === '..d/sub') {
        rmSync(join(mount, link), { recursive: true });
        symlinkSync(inside, join(mount, link));
      }
      symlinkSync('..d', join(mount, '..data'));
      await using store = await SecretStore.open({
        secrets: { token: 'token', nested: 'sub/token' },
        sources: [mountedFiles(mount, NO_POLL)],
      });
      const log = record(store);
      const stop = await startSwapper(join(mount, link), [outside, inside]);
      for (let round = 0; round < 300; round += 1) await store.refresh();
      await stop();
      expect([store.reveal('token'), store.reveal('nested'), log.changes]).toEqual(['v', 'v', []]);
      rmSync(join(mount, link), { recursive: true, force: true });
      symlinkSync(inside, join(mount, link));
      await store.refresh();
      expect(store.health().status).toBe('ok');
    },
  );
});
