import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { startMountWriter } from '../../test/support/mount-writer';
import { mountedFiles, SecretStore } from '../support/built';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

const SNAPSHOTS = { full: 100_000, short: 5000 };
const NAIVE_READS = { full: 20_000, short: 5000 };
const PAIR = { user: 'user', password: 'password' };

/** Another process continuously swaps a user name and a password together. Counts the snapshots that mix two swaps. */
export async function torn({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const path = join(scratch, 'torn');
  await using writer = await startMountWriter({ content: { user: 'value-0', password: 'value-0' }, path });
  await using store = await SecretStore.open({ secrets: PAIR, sources: [mountedFiles(path)] });
  let errors = 0;
  store.on('error', () => {
    errors += 1;
  });
  const swapping = () => writer.swapUntilStopped({ names: Object.keys(PAIR) });

  const naiveSwaps = swapping();
  const naive = await naiveReads(path, NAIVE_READS[size]);
  await naiveSwaps.stop();

  const firstGeneration = store.generation;
  const swaps = swapping();
  const start = performance.now();
  let tornPairs = 0;
  for (let taken = 0; taken < SNAPSHOTS[size]; taken += 1) {
    await store.refresh();
    const snapshot = store.snapshot();
    if (snapshot.reveal('user') !== snapshot.reveal('password')) tornPairs += 1;
  }
  const elapsed = performance.now() - start;
  const swapCount = await swaps.stop();

  return {
    checks: [
      atMost(0, `torn pairs in ${SNAPSHOTS[size]} snapshots`, tornPairs),
      atMost(0, 'errors during the run', errors),
    ],
    details: {
      'swaps during the run': swapCount,
      'generations seen': store.generation - firstGeneration,
      'time of one refresh ms': elapsed / SNAPSHOTS[size],
      'control: pairs read one file after the other': NAIVE_READS[size],
      'control: torn pairs': naive.torn,
      'control: missing files': naive.missing,
    },
  };
}

/** Reads the files naively. This control shows that torn pairs do occur. */
async function naiveReads(path: string, count: number): Promise<{ torn: number; missing: number }> {
  let torn = 0;
  let missing = 0;
  for (let read = 0; read < count; read += 1) {
    try {
      const user = readFileSync(join(path, 'user'), 'utf8');
      if (user !== readFileSync(join(path, 'password'), 'utf8')) torn += 1;
    } catch {
      missing += 1;
    }
    if (read % 100 === 0) await setImmediate();
  }
  return { torn, missing };
}
