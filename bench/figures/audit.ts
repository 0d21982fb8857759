import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { allocatedPerCall } from '../support/allocation';
import { auditAccess, memory, SecretStore } from '../support/built';
import { definitionsOf, manySecrets } from '../support/content';
import { processorTimed } from '../support/processor-time';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio } from '../support/statistics';

const CALLS_PER_ROUND = 200_000;
const CALLS_WITH_CALLERS = 2_000;
const ROUNDS = { full: 301, short: 61 };
const ROUNDS_OF_AUDITS = { full: 61, short: 15 };
const ALLOCATION_CALLS = { full: 5_000_000, short: 1_000_000 };
const SECRETS = 8;
/** Node changes the shape of a channel with its first and last subscriber. Compiled code has to adapt each time. */
const CYCLES = 5;
const CHANNEL = 'hot-secrets:secret:access';

interface Reader {
  reveal(name: string): string;
}

/** Measures what auditing costs a read: without an audit (compared with the same path without the check) and with one. */
export async function audit({ size }: FigureOptions): Promise<FigureResult> {
  const content = manySecrets(SECRETS);
  const names = Object.keys(content);
  await using store = await SecretStore.open({
    secrets: definitionsOf(content),
    sources: [memory(content)],
  });
  const unaudited = new UnauditedStore(content);

  const readStore = (calls: number) => readAudited(store, names, calls);
  const readUnaudited = (calls: number) => readUnchecked(unaudited, names, calls);
  if (readStore(1000) !== readUnaudited(1000)) throw new Error('The two sides read different values.');
  for (let warmUp = 0; warmUp < 20; warmUp += 1) readStore(CALLS_PER_ROUND) + readUnaudited(CALLS_PER_ROUND);

  const sides = {
    audited: () => processorTimed(() => readStore(CALLS_PER_ROUND)),
    unaudited: () => processorTimed(() => readUnaudited(CALLS_PER_ROUND)),
  };
  const times = await alternate(ROUNDS[size], sides);
  const bytes = allocatedPerCall(readStore, ALLOCATION_CALLS[size]);

  const counting = await withAudit(store, size, {}, () => processorTimed(() => readStore(CALLS_PER_ROUND)));
  const withCallers = await withAudit(store, size, { callers: true }, () =>
    processorTimed(() => readStore(CALLS_WITH_CALLERS)),
  );
  const ignoring = () => {};
  subscribe(CHANNEL, ignoring);
  const heard = await alternate(ROUNDS_OF_AUDITS[size], {
    ignored: () => processorTimed(() => readStore(CALLS_PER_ROUND)),
  });
  unsubscribe(CHANNEL, ignoring);
  for (let cycle = 0; cycle < CYCLES; cycle += 1) {
    subscribe(CHANNEL, ignoring);
    readStore(CALLS_WITH_CALLERS);
    unsubscribe(CHANNEL, ignoring);
  }
  const after = await alternate(ROUNDS_OF_AUDITS[size], sides);

  const nanoseconds = (values: readonly number[], calls = CALLS_PER_ROUND) => (median(values) * 1e6) / calls;
  return {
    checks: [
      atMost(
        1.2,
        'reveal() without an audit, compared with reveal() without the check for one, median ratio',
        medianRatio(times.audited, times.unaudited),
      ),
      atMost(0.01, 'heap allocated per call without an audit', bytes, 'bytes'),
    ],
    details: {
      'reveal() ns': nanoseconds(times.audited),
      'without the check ns': nanoseconds(times.unaudited),
      'with a subscriber that does nothing ns': nanoseconds(heard.ignored),
      'with auditAccess ns': nanoseconds(counting),
      'with auditAccess and callers ns': nanoseconds(withCallers, CALLS_WITH_CALLERS),
      'without an audit, after several audits ended ns': nanoseconds(after.audited),
    },
  };
}

async function withAudit(
  store: Parameters<typeof auditAccess>[0],
  size: FigureOptions['size'],
  options: Parameters<typeof auditAccess>[1],
  run: () => Promise<number>,
): Promise<number[]> {
  const auditing = auditAccess(store, options);
  const { times } = await alternate(ROUNDS_OF_AUDITS[size], { times: run });
  if (auditing.report().secrets.length !== SECRETS) throw new Error('The audit did not count every secret.');
  auditing.stop();
  return times;
}

// Two copies of one loop, because compiled code that has seen both kinds of store is slower for both.
function readAudited(store: Reader, names: readonly string[], calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) length += store.reveal(names[call % SECRETS] as string).length;
  return length;
}

function readUnchecked(store: Reader, names: readonly string[], calls: number): number {
  let length = 0;
  for (let call = 0; call < calls; call += 1) length += store.reveal(names[call % SECRETS] as string).length;
  return length;
}

/** The package's read path (store, snapshot, box) without the check for an audit. */
class UnauditedStore implements Reader {
  readonly #snapshot: UnauditedSnapshot;

  constructor(content: Readonly<Record<string, string>>) {
    const entries = Object.entries(content).map(
      ([name, value]) => [name, { secret: new UnauditedBox(name, value), digest: name }] as const,
    );
    this.#snapshot = new UnauditedSnapshot(new Map(entries));
  }

  reveal(name: string): string {
    return this.#snapshot.reveal(name);
  }
}

interface UnauditedServing {
  readonly secret: UnauditedBox;
  readonly digest: string;
}

class UnauditedSnapshot {
  readonly #entries: ReadonlyMap<string, UnauditedServing>;

  constructor(entries: ReadonlyMap<string, UnauditedServing>) {
    this.#entries = entries;
    Object.freeze(this);
  }

  reveal(name: string): string {
    const serving = this.#entries.get(name) ?? this.#miss(name);
    return serving?.secret.reveal() as string;
  }

  #miss(name: string): UnauditedServing | undefined {
    throw new Error(`There is no ${name}.`);
  }
}

class UnauditedBox {
  readonly name: string;
  readonly #read: () => string;

  constructor(name: string, value: string) {
    this.name = name;
    this.#read = () => value;
    Object.freeze(this);
  }

  reveal(): string {
    return this.#read();
  }
}
