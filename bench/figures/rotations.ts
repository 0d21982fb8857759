import { join } from 'node:path';
import { createTestMount, mountedFiles, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { countHandles, heapAfterGc, inotifyWatches, openDescriptors } from '../support/process-state';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { within } from '../support/within';

const ROTATIONS = { full: 10_000, short: 1000 };
const SECRETS = 10;
const MISSED_AFTER_MS = 2000;
const MEGABYTE = 1024 * 1024;

/** Measures what remains after many rotations of a real mount. Each is seen before the next. */
export async function rotations({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const content = manySecrets(SECRETS);
  const handles = countHandles();
  await using mount = await createTestMount(content, { path: join(scratch, 'rotations') });
  const store = await SecretStore.open({
    secrets: definitionsOf(content),
    sources: [mountedFiles(mount.path)],
  });
  let seen = () => {};
  store.on('change', () => seen());
  const state = () => ({
    timers: handles.timers(),
    fileWatches: handles.watches(),
    inotify: inotifyWatches(),
    descriptors: openDescriptors(),
    keepingAlive: process.getActiveResourcesInfo().length,
  });

  const heapBefore = await heapAfterGc();
  const before = state();
  const start = performance.now();
  for (let rotation = 1; rotation <= ROTATIONS[size]; rotation += 1) {
    const next = manySecrets(SECRETS, rotation);
    const change = new Promise<void>((resolve) => {
      seen = resolve;
    });
    await mount.rotate(next);
    await within(change, MISSED_AFTER_MS);
    if (store.reveal('secret-9') !== next['secret-9']) throw new Error(`Rotation ${rotation} was missed.`);
  }
  const elapsed = performance.now() - start;
  const timersUncollected = handles.timers();
  const heapAfter = await heapAfterGc();
  const after = state();
  const { generation } = store;
  await store.close();
  // The hook learns of destroyed handles at the next garbage collection.
  await heapAfterGc();
  const closed = state();

  return {
    checks: [
      atMost(2, `heap growth after ${ROTATIONS[size]} rotations`, (heapAfter - heapBefore) / MEGABYTE, 'MB'),
      atMost(0, 'additional inotify watches', after.inotify - before.inotify),
      atMost(0, 'additional file descriptors and handles', grown(before, after)),
      atMost(0, 'additional timers', after.timers - before.timers),
      atMost(0, 'timers and watches left after close()', closed.timers + closed.fileWatches + closed.inotify),
    ],
    details: {
      generations: generation - 1,
      'heap before MB': heapBefore / MEGABYTE,
      'heap after MB': heapAfter / MEGABYTE,
      'timers before': before.timers,
      'timers after': after.timers,
      'timers before garbage collection': timersUncollected,
      'inotify watches': after.inotify,
      'time to write and see one rotation, ms': elapsed / ROTATIONS[size],
    },
  };
}

type State = Readonly<Record<'fileWatches' | 'descriptors' | 'keepingAlive', number>>;

function grown(before: State, after: State): number {
  const kinds = ['fileWatches', 'descriptors', 'keepingAlive'] as const;
  return kinds.reduce((sum, kind) => sum + Math.max(0, after[kind] - before[kind]), 0);
}
