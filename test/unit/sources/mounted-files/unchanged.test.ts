import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { lookup } from '../../../../src/secret/lookup';
import { mountedFiles } from '../../../../src/sources/mounted-files/mounted-files';
import { createTestMount, type TestMountLayout } from '../../../../src/testing/test-mount';

const opened = vi.hoisted(() => [] as string[]);
const clock = vi.hoisted(() => ({ aheadMs: 0 }));

vi.mock('../../../../src/internal/real-time', async (importOriginal) => {
  const times = await importOriginal<typeof import('../../../../src/internal/real-time')>();
  return { ...times, realDate: () => times.realDate() + clock.aheadMs };
});

vi.mock('../../../../src/internal/builtins', async (importOriginal) => {
  const builtins = await importOriginal<typeof import('../../../../src/internal/builtins')>();
  const fs = builtins.builtin('fs');
  const openSync = (path: string, flags: number) => {
    opened.push(path);
    return fs.openSync(path, flags);
  };
  const builtin = (name: 'fs') => (name === 'fs' ? { ...fs, openSync } : builtins.builtin(name));
  return { ...builtins, builtin };
});

afterEach(() => {
  clock.aheadMs = 0;
});

function reader(path: string) {
  const source = mountedFiles(path, { maxFileBytes: 100 });
  const lookups = [lookup('a'), lookup('db/b')];
  return (since?: string, list = false) => {
    opened.length = 0;
    return source.read({ lookups, list, since, signal: new AbortController().signal });
  };
}

/** A file that has just changed may change again without a new timestamp. */
function waitUntilFilesAreOld(): void {
  clock.aheadMs = 5000;
}

describe.each<TestMountLayout>(['kubernetes', 'plain'])('an unchanged %s mount', (layout) => {
  it.each([{ list: false }, { list: true }])(
    `opens no file of an unchanged ${layout} mount (list: $list)`,
    async ({ list }) => {
      await using mount = await createTestMount({ a: '1', 'db/b': '2' }, { layout });
      const read = reader(mount.path);
      waitUntilFilesAreOld();
      const { revision } = await read(undefined, list);
      expect(opened.length).toBeGreaterThan(0);
      for (let round = 0; round < 3; round += 1) {
        expect(await read(revision, list)).toEqual({ unchanged: true, readings: new Map(), revision });
        expect(opened).toEqual([]);
      }
      await mount.rotate({ 'db/b': '3' });
      expect(await read(revision, list)).toMatchObject({ unchanged: false });
    },
  );

  it(`returns no revision of a ${layout} mount while a file fails, because a fix may leave no trace`, async () => {
    await using mount = await createTestMount({ a: '1', 'db/b': 'x'.repeat(101) }, { layout });
    const read = reader(mount.path);
    waitUntilFilesAreOld();
    expect((await read()).revision).toBeUndefined();
  });
});

describe('a plain directory', () => {
  it('returns no revision of a plain directory while its files may change without a new timestamp', async () => {
    await using mount = await createTestMount({ a: '1', 'db/b': '2' }, { layout: 'plain' });
    const read = reader(mount.path);
    expect((await read()).revision).toBeUndefined();
    waitUntilFilesAreOld();
    expect((await read()).revision).toBeDefined();
  });

  it('lists a new file of a plain directory', async () => {
    await using mount = await createTestMount({ a: '1' }, { layout: 'plain' });
    const read = reader(mount.path);
    waitUntilFilesAreOld();
    const { revision } = await read(undefined, true);
    await mount.rotate({ c: '3' });
    const next = await read(revision, true);
    expect([...next.readings.keys()].sort()).toEqual(['a', 'c', 'db/b']);
  });
});

describe('an empty directory below the mount', () => {
  it('does not list an empty directory as a secret', async () => {
    await using mount = await createTestMount({ a: '1', 'db/b': '2' }, { layout: 'plain' });
    mkdirSync(join(mount.path, 'empty'));
    chmodSync(join(mount.path, 'empty'), 0o755);
    const { readings } = await reader(mount.path)(undefined, true);
    expect([...readings.keys()].sort()).toEqual(['a', 'db/b']);
  });
});
