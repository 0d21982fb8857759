import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { mountedFiles, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { pinApart } from '../support/pin';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { startStampingWriter } from '../support/stamping-writer';
import { median, quantile } from '../support/statistics';
import { within } from '../support/within';

const SWAPS = { full: 200, short: 40 };
const SWAPS_PER_BLOCK = 20;
const SECRETS = 4;
const WARM_UP_SWAPS = 500;
const MISSED_AFTER_MS = 2000;

/** Sees swaps of one mount, until it is stopped. */
interface Observer {
  /** Resolves with the monotonic time at which a swap to `value` was noticed. */
  next(value: string): Promise<bigint>;
  stop(): unknown;
}

/**
 * From the rename of `..data` by another process to the `change` event, next to a bare `fs.watch`. Only one side
 * listens at a time, in blocks that take turns: they must not wake each other.
 */
export async function detection({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const path = join(scratch, 'detection');
  await using writer = startStampingWriter(path);
  await writer.replace(manySecrets(SECRETS));
  const pinned = pinApart(process.pid, writer.pid);
  const sides = { store: observeStore, bare: observeBare, reading: observeAndRead };
  const found = { store: [] as number[], bare: [] as number[], reading: [] as number[] };
  let generation = 0;

  // A process that is long up: what is measured is not how fast code becomes warm.
  for (const side of ['store', 'reading'] as const) {
    const observer = await sides[side](path);
    for (let swap = 0; swap < WARM_UP_SWAPS; swap += 1) {
      generation += 1;
      const content = manySecrets(SECRETS, generation);
      const noticed = observer.next(content['secret-0'] as string);
      await writer.replace(content);
      await within(noticed, MISSED_AFTER_MS);
    }
    await observer.stop();
  }

  for (let block = 0; block < SWAPS[size] / SWAPS_PER_BLOCK; block += 1) {
    const names = ['store', 'bare', 'reading'] as const;
    for (const side of block % 2 === 0 ? names : names.toReversed()) {
      const observer = await sides[side](path);
      for (let swap = 0; swap < SWAPS_PER_BLOCK; swap += 1) {
        generation += 1;
        const content = manySecrets(SECRETS, generation);
        const noticed = observer.next(content['secret-0'] as string);
        const swappedAt = await writer.replace(content);
        const noticedAt = await within(noticed, MISSED_AFTER_MS);
        if (noticedAt !== undefined) found[side].push(Number(noticedAt - swappedAt) / 1e6);
      }
      await observer.stop();
    }
  }

  const missed = SWAPS[size] - found.store.length;
  return {
    checks: [
      atMost(
        2,
        'rename to change event, against a bare fs.watch, medians',
        median(found.store) / median(found.bare),
      ),
      atMost(
        2,
        'rename to change event, against a bare fs.watch that reads the files too, medians',
        median(found.store) / median(found.reading),
      ),
      atMost(0, `missed of ${SWAPS[size]} swaps`, missed),
    ],
    details: {
      'change event ms': median(found.store),
      'change event p95 ms': quantile(found.store, 0.95),
      'bare fs.watch ms': median(found.bare),
      'bare fs.watch p95 ms': quantile(found.bare, 0.95),
      'bare fs.watch that also reads the files ms': median(found.reading),
      'each process on a core of its own (1: yes)': Number(pinned),
      'missed by bare fs.watch': SWAPS[size] - found.bare.length,
    },
  };
}

async function observeStore(path: string): Promise<Observer> {
  const store = await SecretStore.open({
    secrets: definitionsOf(manySecrets(SECRETS)),
    sources: [mountedFiles(path)],
  });
  return {
    next: (value) =>
      new Promise((resolve) => {
        const off = store.on('change', () => {
          const at = process.hrtime.bigint();
          if (store.reveal('secret-0') !== value) return;
          off();
          resolve(at);
        });
      }),
    stop: () => store.close(),
  };
}

async function observeBare(path: string): Promise<Observer> {
  let seen = (_at: bigint) => {};
  const watcher = watch(path, (_event, name) => {
    if (name === '..data') seen(process.hrtime.bigint());
  });
  return {
    next: () =>
      new Promise((resolve) => {
        seen = resolve;
      }),
    stop: () => watcher.close(),
  };
}

/** What a service would write by hand, without a care for torn reads. */
async function observeAndRead(path: string): Promise<Observer> {
  const bare = await observeBare(path);
  const names = Object.keys(manySecrets(SECRETS));
  return {
    async next(value) {
      await bare.next(value);
      for (const name of names) readFileSync(join(path, name), 'utf8');
      return process.hrtime.bigint();
    },
    stop: bare.stop,
  };
}
