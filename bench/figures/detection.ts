import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecretsChanged } from '../../src/observe/channels';
import type { Source } from '../../src/sources/source';
import { mountedFiles, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { pinApart } from '../support/pin';
import { processorMsSince } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { type StampingWriter, startStampingWriter } from '../support/stamping-writer';
import { median, quantile } from '../support/statistics';
import { within } from '../support/within';

const SWAPS = { full: 200, short: 60 };
const SWAPS_PER_BLOCK = 10;
const MANY = 200;
const FEW = 4;
/** Reads of one file before the first swap that counts: after them, the code is compiled. */
const WARM_UP_READS = 20_000;
const MAX_WARM_UP_SWAPS = 500;
const MISSED_AFTER_MS = 2000;

type Content = Readonly<Record<string, string>>;

/** The time of each step, in the order in which they happen; the last one is `seen`. */
type Steps = Readonly<Record<string, bigint>>;

interface Detection {
  readonly steps: Steps;
  /** Processor time of this process, from the event of the file system to the last step. */
  readonly processorMs: number;
}

/** Watches one mount until it is stopped. */
interface Observer {
  /** Resolves when the swap to `content` has been seen. */
  next(content: Content): Promise<Detection>;
  stop(): unknown;
}

type Observe = (path: string, names: readonly string[]) => Observer | Promise<Observer>;

const sides = {
  store: observeWithStore,
  readFile: byHand(async (files) => {
    for (const file of files) await readFile(file, 'utf8');
  }),
  readFileSync: byHand((files) => {
    for (const file of files) readFileSync(file, 'utf8');
  }),
  watch: byHand(() => {}),
} satisfies Record<string, Observe>;

type Side = keyof typeof sides;

/** The detections of one side, as milliseconds since the rename. */
interface Detected {
  readonly steps: Record<string, number>[];
  readonly processorMs: number[];
}

/**
 * From the rename of `..data` by another process to the `change` event, against code written by hand: an `fs.watch` that
 * reads the same files. Only one side watches at a time, in short blocks that alternate.
 */
export async function detection({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const many = await measure(join(scratch, 'many'), MANY, SWAPS[size]);
  const few = await measure(join(scratch, 'few'), FEW, SWAPS[size]);
  const { store, readFile, readFileSync } = many.found;
  const missed = 2 * SWAPS[size] - store.steps.length - few.found.store.steps.length;
  return {
    checks: [
      atMost(
        1,
        `${MANY} secrets, rename to change event, against fs.watch and await readFile, medians`,
        seenMs(store) / seenMs(readFile),
      ),
      atMost(
        2.5,
        `${MANY} secrets, processor time up to the change event, against fs.watch and readFileSync, medians`,
        median(store.processorMs) / median(readFileSync.processorMs),
      ),
      atMost(0, `missed of ${2 * SWAPS[size]} swaps`, missed),
    ],
    details: {
      [`${MANY} secrets: rename to change event, against fs.watch and readFileSync`]:
        seenMs(store) / seenMs(readFileSync),
      ...details(MANY, many.found),
      ...details(FEW, few.found),
      'each process on a core of its own (1: yes)': Number(many.pinned && few.pinned),
    },
  };
}

function details(secrets: number, found: Readonly<Record<Side, Detected>>): Record<string, number> {
  const { store, readFile, readFileSync, watch } = found;
  const named: Record<string, number> = {
    'change event ms': seenMs(store),
    'change event p95 ms': quantile(allSeenMs(store), 0.95),
    ...phases(store),
    'change event, processor ms': median(store.processorMs),
    'fs.watch and await readFile ms': seenMs(readFile),
    'fs.watch and await readFile, processor ms': median(readFile.processorMs),
    'fs.watch and readFileSync ms': seenMs(readFileSync),
    'fs.watch and readFileSync, processor ms': median(readFileSync.processorMs),
    'fs.watch that reads nothing ms': seenMs(watch),
  };
  return Object.fromEntries(
    Object.entries(named).map(([name, value]) => [`${secrets} secrets: ${name}`, value]),
  );
}

function allSeenMs({ steps }: Detected): number[] {
  return steps.map(({ seen }) => seen as number);
}

function seenMs(detected: Detected): number {
  return median(allSeenMs(detected));
}

/** The median time that each step took. */
function phases({ steps }: Detected): Record<string, number> {
  const names = Object.keys(steps[0] ?? {});
  return Object.fromEntries(
    names.map((name, index) => {
      const before = names[index - 1];
      const took = steps.map(
        (at) => (at[name] as number) - (before === undefined ? 0 : (at[before] as number)),
      );
      return [`… of it, until ${name} ms`, median(took)];
    }),
  );
}

async function measure(
  path: string,
  secrets: number,
  swaps: number,
): Promise<{ readonly found: Record<Side, Detected>; readonly pinned: boolean }> {
  await using writer = startStampingWriter(path);
  await writer.replace(manySecrets(secrets));
  const names = Object.keys(manySecrets(secrets));
  const pinned = pinApart(process.pid, writer.pid);
  let generation = 0;

  const block = async (side: Side, count: number, found: Detected) => {
    const observer = await sides[side](path, names);
    for (let swap = 0; swap < count; swap += 1) {
      generation += 1;
      await detect(observer, writer, manySecrets(secrets, generation), found);
    }
    await observer.stop();
  };

  const order = Object.keys(sides) as Side[];
  const warmUpSwaps = Math.min(MAX_WARM_UP_SWAPS, WARM_UP_READS / secrets);
  for (const side of order) await block(side, warmUpSwaps, nothing());
  const found = { store: nothing(), readFile: nothing(), readFileSync: nothing(), watch: nothing() };
  for (let round = 0; round < swaps / SWAPS_PER_BLOCK; round += 1) {
    for (const side of round % 2 === 0 ? order : order.toReversed()) {
      await block(side, SWAPS_PER_BLOCK, found[side]);
    }
  }
  return { found, pinned };
}

function nothing(): Detected {
  return { steps: [], processorMs: [] };
}

/** Swaps once, and adds what the observer saw, unless it missed the swap. */
async function detect(
  observer: Observer,
  writer: StampingWriter,
  content: Content,
  found: Detected,
): Promise<void> {
  const seen = observer.next(content);
  const renamedAt = await writer.replace(content);
  const detection = await within(seen, MISSED_AFTER_MS);
  if (detection === undefined) return;
  const sinceRename = Object.entries(detection.steps).map(
    ([step, at]) => [step, Number(at - renamedAt) / 1e6] as const,
  );
  found.steps.push(Object.fromEntries(sinceRename));
  found.processorMs.push(detection.processorMs);
}

/** Takes the times where a user could take them: in a source, on a channel, and in a listener. */
async function observeWithStore(path: string, names: readonly string[]): Promise<Observer> {
  const [first = ''] = names;
  let steps: Record<string, bigint> = {};
  let before = process.cpuUsage();
  const note = (step: string) => {
    steps[step] = process.hrtime.bigint();
  };
  const mount = mountedFiles(path);
  const source: Source = {
    ...mount,
    watch: (listener) =>
      mount.watch?.({
        ...listener,
        hint(trigger) {
          steps = {};
          before = process.cpuUsage();
          note('the event arrives');
          listener.hint(trigger);
        },
      }) ?? (() => {}),
    async read(request) {
      note('the read begins');
      const result = await mount.read(request);
      note('the read has ended');
      return result;
    },
  };
  const store = await SecretStore.open({
    secrets: definitionsOf(Object.fromEntries(names.map((name) => [name, '']))),
    sources: [source],
  });
  const onBuilt = (message: unknown) => {
    if ((message as SecretsChanged).store === store.name) note('the snapshot is built');
  };
  subscribe('hot-secrets:store:change', onBuilt);
  return {
    next: (content) =>
      new Promise((resolve) => {
        const off = store.on('change', () => {
          note('seen');
          const processorMs = processorMsSince(before);
          if (store.reveal(first) !== content[first]) return;
          off();
          resolve({ steps, processorMs });
        });
      }),
    stop() {
      unsubscribe('hot-secrets:store:change', onBuilt);
      return store.close();
    },
  };
}

/** What a service would write by hand: without a care for torn reads, sizes, links or values that cannot be used. */
function byHand(read: (files: readonly string[]) => void | Promise<void>): Observe {
  return (path, names) => {
    const files = names.map((name) => join(path, name));
    let arrived = () => {};
    const watcher = watch(path, (_event, name) => {
      if (name === '..data') arrived();
    });
    return {
      next: () =>
        new Promise((resolve) => {
          arrived = async () => {
            const before = process.cpuUsage();
            await read(files);
            const seen = process.hrtime.bigint();
            resolve({ steps: { seen }, processorMs: processorMsSince(before) });
          };
        }),
      stop: () => watcher.close(),
    };
  };
}
