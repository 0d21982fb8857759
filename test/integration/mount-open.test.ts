import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { environment, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NO_POLL = { pollIntervalMs: 600_000 };

function temporaryDirectory(): string {
  const base = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
  chmodSync(base, 0o755);
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  return base;
}

function write(path: string, value: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, value);
}

/** What kubelet makes of a volume: `..data` leads to a directory, here without files at first. */
function swap(root: string, generation: number, files: Readonly<Record<string, string>>): void {
  const directory = `..2026_11_23_20_01_2${generation}.1`;
  mkdirSync(join(root, directory));
  for (const [name, value] of Object.entries(files)) write(join(root, directory, name), value);
  symlinkSync(directory, join(root, '..data_tmp'));
  renameSync(join(root, '..data_tmp'), join(root, '..data'));
}

describe.each([
  ['an empty directory', (_root: string) => {}],
  ['a ..data without files', (root: string) => swap(root, 0, {})],
])('an optional mount that is %s', (what, make) => {
  it(`opens with ${what}, serves the variable, and moves up once files appear`, async () => {
    const root = temporaryDirectory();
    make(root);
    await using store = await SecretStore.open({
      secrets: { key: 'api-key', extra: secret.text('extra').optional() },
      sources: [mountedFiles(root, { ...NO_POLL, optional: true }), environment({ API_KEY: 'from-env' })],
    });
    const log = record(store);
    expect([store.reveal('key'), store.get('key').source]).toEqual(['from-env', 'environment']);
    if (what.startsWith('an empty')) write(join(root, 'api-key'), 'n1');
    else swap(root, 1, { 'api-key': 'n1' });
    await waitFor(() => store.reveal('key') === 'n1');
    for (const [index, value] of ['n2', 'n3', 'n4'].entries()) {
      if (what.startsWith('an empty')) write(join(root, 'api-key'), value);
      else swap(root, 2 + index, { 'api-key': value });
      await waitFor(() => store.reveal('key') === value);
    }
    expect([log.codes(), store.health().status]).toEqual([[], 'ok']);
  });

  it(`opens in discovery with ${what}, and finds what appears`, async () => {
    const root = temporaryDirectory();
    make(root);
    await using store = await SecretStore.open({
      sources: [mountedFiles(root, { ...NO_POLL, optional: true }), environment({ API_KEY: 'from-env' })],
    });
    record(store);
    expect([store.names(), store.reveal('api-key'), store.health().status]).toEqual([[], 'from-env', 'ok']);
    if (what.startsWith('an empty')) write(join(root, 'token'), 't');
    else swap(root, 1, { token: 't' });
    await waitFor(() => store.has('token'));
  });

  it(`rejects open with ${what} if the mount is not optional`, async () => {
    const root = temporaryDirectory();
    make(root);
    const optional = { k: secret.text('k').optional() };
    const opening = SecretStore.open({ secrets: optional, sources: [mountedFiles(root)] });
    await expect(opening).rejects.toMatchObject({ code: 'MOUNT_EMPTY' });
  });
});

describe('waitForMountMs', () => {
  it.each<[string, (root: string) => void, (root: string) => void]>([
    ['appears', () => {}, (root) => write(join(root, 'db/password'), 'p1')],
    [
      'appears under a temporary name first',
      (root) => write(join(root, '.tmp1'), 'p1'),
      (root) => {
        mkdirSync(join(root, 'db'), { recursive: true });
        renameSync(join(root, '.tmp1'), join(root, 'db/password'));
      },
    ],
    [
      'is empty until it is issued',
      (root) => write(join(root, 'db/password'), ''),
      (root) => write(join(root, 'db/password'), 'p1'),
    ],
    [
      'is a directory at first',
      (root) => write(join(root, 'db/password/part'), 'x'),
      (root) => {
        rmSync(join(root, 'db/password'), { recursive: true });
        write(join(root, 'db/password'), 'p1');
      },
    ],
  ])('opens once the second of two required secrets %s, without an event', async (_how, before, after) => {
    const root = temporaryDirectory();
    write(join(root, 'user'), 'u1');
    before(root);
    const error = vi.fn();
    const opening = SecretStore.open({
      secrets: { user: 'user', password: 'db/password', extra: secret.text('extra').optional() },
      sources: [mountedFiles(root, { ...NO_POLL, waitForMountMs: 20_000 })],
      on: { error },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    after(root);
    await using store = await opening;
    expect([store.reveal('user'), store.reveal('password'), store.health().status]).toEqual([
      'u1',
      'p1',
      'ok',
    ]);
    expect(error).not.toHaveBeenCalled();
  });

  it('waits for JSON that is half-written at the start', async () => {
    const root = temporaryDirectory();
    write(join(root, 'settings'), '{"a":');
    const opening = SecretStore.open({
      secrets: { settings: secret.json('settings') },
      sources: [mountedFiles(root, { ...NO_POLL, waitForMountMs: 20_000 })],
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    write(join(root, 'settings'), '{"a":1}');
    await using store = await opening;
    expect(store.reveal('settings')).toEqual({ a: 1 });
  });

  it('rejects with the missing name once the time is over, and not before', async () => {
    const root = temporaryDirectory();
    write(join(root, 'user'), 'u1');
    const startedAt = performance.now();
    const opening = SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [mountedFiles(root, { waitForMountMs: 400 })],
    });
    await expect(opening).rejects.toMatchObject({ code: 'SECRET_MISSING', secret: 'password' });
    expect(performance.now() - startedAt).toBeGreaterThan(395);
  });

  it('does not wait for what is there, nor for optional secrets', async () => {
    const root = temporaryDirectory();
    write(join(root, 'user'), 'u1');
    const startedAt = performance.now();
    await using _ = await SecretStore.open({
      secrets: { user: 'user', extra: secret.text('extra').optional() },
      sources: [mountedFiles(root, { waitForMountMs: 60_000 })],
    });
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('settleMs', () => {
  /** Writes `parts` one after the other, and returns the values that the store served until the last one. */
  async function servedWhile(
    pauseMs: number,
    settleMs: number,
    parts: readonly [name: string, value: string][],
  ) {
    const root = temporaryDirectory();
    for (const name of ['user', 'password']) write(join(root, name), 'n0');
    await using store = await SecretStore.open({
      secrets: { user: 'user', password: 'password' },
      sources: [mountedFiles(root, { ...NO_POLL, settleMs })],
    });
    const seen: string[] = [];
    store.on('change', () => seen.push(`${store.reveal('user')} ${store.reveal('password')}`));
    for (const [index, [name, value]] of parts.entries()) {
      if (index > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      write(join(root, name), value);
    }
    const [user, password] = ['user', 'password'].map(
      (name) => parts.findLast(([part]) => part === name)?.[1] ?? 'n0',
    );
    await waitFor(() => seen.at(-1) === `${user} ${password}`);
    return seen;
  }

  it.each<[string, [name: string, value: string][]]>([
    [
      'half a value',
      [
        ['user', 'hal'],
        ['user', 'half-written'],
      ],
    ],
    [
      'a new user with the old password',
      [
        ['user', 'n1'],
        ['password', 'n1'],
      ],
    ],
    [
      'any state between',
      [
        ['user', 'a'],
        ['password', 'b'],
        ['user', 'c'],
        ['password', 'd'],
      ],
    ],
  ])(
    'does not serve %s while a writer of plain files pauses for less than settleMs',
    async (_what, parts) => {
      for (let round = 0; round < 3; round += 1) {
        expect(await servedWhile(60, 1000, parts)).toHaveLength(1);
      }
    },
  );

  it('serves each state that is at rest for longer than settleMs', async () => {
    expect(
      await servedWhile(700, 0, [
        ['user', 'n1'],
        ['password', 'n1'],
      ]),
    ).toEqual(['n1 n0', 'n1 n1']);
  });
});
