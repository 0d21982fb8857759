import { SecretsError } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { checkSwaps, checkWatchLimits } from '../../../src/doctor/checks/watching';
import type { Watcher } from '../../../src/sources/mounted-files/watchers';
import { complaints, examine, folder, machine } from '../../support/doctor-stage';

const signal = new AbortController().signal;
const INSTANCES = '/proc/sys/fs/inotify/max_user_instances';
const WATCHES = '/proc/sys/fs/inotify/max_user_watches';

describe('checkSwaps', () => {
  it('sees every swap on this machine, and leaves nothing behind', async () => {
    const temporaryDirectory = folder();
    const { readdirSync } = await import('node:fs');
    expect(await checkSwaps(machine({ temporaryDirectory }), signal)).toEqual([]);
    expect(readdirSync(temporaryDirectory)).toEqual([]);
  });

  it('reports a watch that is silent, or falls silent after the first swap', async () => {
    const silent: Watcher = () => ({ stop() {} });
    const once: Watcher = (_root, _directory, { hint }) => {
      const timer = setTimeout(hint, 40);
      return { stop: () => clearTimeout(timer) };
    };
    const system = machine({ temporaryDirectory: folder() });
    expect(await checkSwaps(system, signal, silent, 50)).toMatchObject([
      { code: 'WATCH_SILENT', level: 'warning', args: { seen: 0, swaps: 3 } },
    ]);
    expect(await checkSwaps(system, signal, once, 200)).toMatchObject([
      { code: 'WATCH_SILENT', args: { seen: 1, swaps: 3 } },
    ]);
  });

  it('reports the limit that prevents a watch', async () => {
    const refused: Watcher = (_root, _directory, { unavailable }) => {
      unavailable(new SecretsError('WATCH_UNAVAILABLE', 'cannot be watched (ENOSPC)', { next: 'Raise it.' }));
      return { stop() {} };
    };
    const system = machine({ temporaryDirectory: folder() });
    expect(await checkSwaps(system, signal, refused)).toMatchObject([
      { code: 'WATCH_UNAVAILABLE', level: 'warning', args: { next: 'Raise it.' } },
    ]);
  });

  it('notes a temporary directory that cannot be written to', async () => {
    const system = machine({ temporaryDirectory: '/no/such/directory' });
    expect(await checkSwaps(system, signal)).toMatchObject([{ code: 'WATCH_UNTESTED', level: 'note' }]);
  });
});

describe('checkWatchLimits', () => {
  const limits = (instances: number, watches: number) =>
    machine({
      texts: { [INSTANCES]: `${instances}\n`, [WATCHES]: `${watches}\n` },
      inotify: () => ({ instances: 100, watches: 5_000 }),
    });

  it('reports limits that are nearly used up', () => {
    expect(checkWatchLimits(limits(102, 8_192))).toMatchObject([
      { code: 'WATCH_LIMIT', args: { limit: 'fs.inotify.max_user_instances', value: 102, used: 100 } },
    ]);
    expect(checkWatchLimits(limits(128, 5_010))).toMatchObject([
      { code: 'WATCH_LIMIT', args: { limit: 'fs.inotify.max_user_watches' } },
    ]);
  });

  it('finds nothing to fix in the usual limits, or a system without inotify', () => {
    expect(checkWatchLimits(limits(128, 8_192))).toEqual([]);
    expect(checkWatchLimits(machine())).toEqual([]);
  });
});

it('runs the live test as a part of a diagnosis', async () => {
  const diagnosis = await examine({ temporaryDirectory: '/no/such', options: { liveTest: true } });
  expect(complaints(diagnosis)).toEqual([]);
  expect(diagnosis.findings.map(({ code }) => code)).toContain('WATCH_UNTESTED');
});
