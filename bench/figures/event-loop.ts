import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { createTestMount, mountedFiles, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { median } from '../support/statistics';

const SECRETS = 2000;
const SWAPS = { full: 40, short: 12 };
const WARM_UP_SWAPS = 5;
// What follows a `change` event, such as wiping the bytes, belongs to the swap too.
const AFTER_MS = 20;

type Layout = 'kubernetes' | 'plain';

/** Measures how long a rotation of 2,000 secrets keeps the event loop from its other work. */
export async function eventLoop({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const swaps = SWAPS[size];
  const discovered = await longestTurns(join(scratch, 'discovered'), swaps);
  const declared = await longestTurns(join(scratch, 'declared'), swaps, { declares: true });
  const plain = await longestTurns(join(scratch, 'plain'), swaps, { layout: 'plain' });
  return {
    checks: [
      atMost(20, 'longest turn of a swap of 2,000 files, median', median(discovered), 'ms'),
      atMost(20, 'the same with declared secrets', median(declared), 'ms'),
    ],
    details: {
      'plain directory, longest turn, median ms': median(plain),
      'longest turn of all swaps ms': Math.max(...discovered),
      'declared secrets, longest turn of all swaps ms': Math.max(...declared),
      'plain directory, longest turn of all swaps ms': Math.max(...plain),
    },
  };
}

async function longestTurns(
  path: string,
  swaps: number,
  { declares = false, layout = 'kubernetes' }: { declares?: boolean; layout?: Layout } = {},
): Promise<number[]> {
  const content = manySecrets(SECRETS);
  await using mount = await createTestMount(content, { path, layout });
  const sources = [mountedFiles(mount.path)];
  const opening = declares
    ? SecretStore.open({ sources, secrets: definitionsOf(content) })
    : SecretStore.open({ sources });
  await using store = await opening;
  await setTimeout(500);
  const found: number[] = [];
  for (let swap = 1; swap <= WARM_UP_SWAPS + swaps; swap += 1) {
    const changed = new Promise<void>((resolve) => {
      store.once('change', () => resolve());
    });
    await mount.rotate(manySecrets(SECRETS, swap));
    const stop = watchTurns();
    await changed;
    await setTimeout(AFTER_MS);
    found.push(stop());
  }
  return found.slice(WARM_UP_SWAPS);
}

/**
 * Returns a function that ends the measurement and returns the longest turn in ms. A turn counts with the time that passed, or
 * with the processor time of the process if that is less: waiting for a core is not work of the store.
 */
function watchTurns(): () => number {
  let longest = 0;
  let running = true;
  let at = performance.now();
  let used = process.cpuUsage();
  const end = () => {
    const now = performance.now();
    const { user, system } = process.cpuUsage(used);
    longest = Math.max(longest, Math.min(now - at, (user + system) / 1000));
    at = now;
    used = process.cpuUsage();
  };
  const next = () => {
    end();
    if (running) setImmediate(next);
  };
  setImmediate(next);
  return () => {
    running = false;
    end();
    return longest;
  };
}
