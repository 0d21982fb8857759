import { allocatedPerCall } from '../support/allocation';
import { memory, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { processorTimed } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio } from '../support/statistics';

const CALLS_PER_ROUND = 200_000;
const ROUNDS = { full: 301, short: 61 };
const ALLOCATION_CALLS = { full: 5_000_000, short: 1_000_000 };
const SECRETS = 8;

interface Reader {
  reveal(name: string): string;
}

/** Compares one `reveal()` with one `Map.get` of the same name. */
export async function reveal({ size }: FigureOptions): Promise<FigureResult> {
  const content = manySecrets(SECRETS);
  const names = Object.keys(content);
  const map = new Map(Object.entries(content));
  await using store = await SecretStore.open({
    secrets: definitionsOf(content),
    sources: [memory(content)],
  });

  const readStore = (calls: number) => revealWithPrevious(store, names, calls);
  const readMap = (calls: number) => getAll(map, names, calls);
  if (readStore(1000) !== readMap(1000)) throw new Error('The two sides read different values.');
  for (let warmUp = 0; warmUp < 20; warmUp += 1) readStore(CALLS_PER_ROUND) + readMap(CALLS_PER_ROUND);

  const times = await alternate(ROUNDS[size], {
    reveal: () => processorTimed(() => readStore(CALLS_PER_ROUND)),
    map: () => processorTimed(() => readMap(CALLS_PER_ROUND)),
    loop: () => processorTimed(() => emptyLoop(names, CALLS_PER_ROUND)),
  });
  const nanoseconds = (values: readonly number[]) => (median(values) * 1e6) / CALLS_PER_ROUND;

  const calls = ALLOCATION_CALLS[size];
  const control = allocatedPerCall(allocate, calls);
  if (control < 16) throw new Error('The measurement of allocations misses one object per call.');

  return {
    checks: [
      atMost(3, 'reveal() compared with Map.get, median ratio', medianRatio(times.reveal, times.map)),
      atMost(0.01, 'heap allocated per call', allocatedPerCall(readStore, calls), 'bytes'),
    ],
    details: {
      'reveal() ns': nanoseconds(times.reveal),
      'Map.get ns': nanoseconds(times.map),
      'the loop alone ns': nanoseconds(times.loop),
      'control: bytes per call when each call creates an array': control,
      calls: ROUNDS[size] * CALLS_PER_ROUND,
    },
  };
}

function revealWithPrevious(store: Reader, names: readonly string[], calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) length += store.reveal(names[call % SECRETS] as string).length;
  return length;
}

function getAll(map: ReadonlyMap<string, string>, names: readonly string[], calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) {
    length += (map.get(names[call % SECRETS] as string) as string).length;
  }
  return length;
}

function emptyLoop(names: readonly string[], calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) length += (names[call % SECRETS] as string).length;
  return length;
}

const kept: number[][] = [];

function allocate(calls: number): void {
  for (let call = 0; call < calls; call += 1) kept[call % SECRETS] = [call];
}
