import { inAnotherTurn } from '../internal/real-time';
import { detached, unrefTimer } from '../internal/time';
import { type OfStore, publish, type RefreshStarted } from '../observe/channels';
import type { Lookup } from '../secret/lookup';
import { type Catalog, discover, type Generation, nextGeneration, nextViews, type Step } from './generation';
import { type Resolution, resolve } from './resolve';
import type { SourceReader, SourceReading } from './source-reader';

/** How long a refresh waits for slow sources before it makes a generation of the others, in milliseconds. */
export const PATIENCE_MS = 250;

/** How long the rest of a half-written pair may take, in milliseconds, before a name that vanished with it is dropped. */
const CONFIRM_MS = 500;

let refreshes = 0;

/** A hint, or a call of `refresh()`. */
export interface RefreshRequest {
  readonly trigger: string;
  readonly readers: readonly SourceReader[];
  /** Read in full, even if the source seems unchanged. */
  readonly force: boolean;
  readonly patienceMs?: number | undefined;
  /** True if another refresh made this request. Such a request makes no further one. */
  readonly followsUp?: boolean;
}

/** The part of the store that a refresh uses. */
export interface RefreshHost {
  readonly owner: OfStore;
  readonly readers: readonly SourceReader[];
  readonly catalog: Catalog;
  readonly timeoutMs: number;
  /** Aborts when the store closes. */
  readonly signal: AbortSignal;
  current(): Generation;
  /** Called after each read of a source, successful or not. */
  wasRead(reader: SourceReader): void;
  /** Puts the next generation in place and notifies listeners. */
  advance(step: Step, trigger: string): void;
  /** Called if making a generation threw, which is a bug of this package. */
  broke(error: unknown): void;
}

/**
 * Turns hints into generations:
 *
 * 1. Each source has a lane, which runs one read at a time. Requests that arrive during a read share the next one.
 * 2. A request waits for its sources, but not long for a slow one: the others make a generation without it, and its answer
 *    makes the generation after that.
 * 3. Generations are made one after another. Only its readings decide what a generation holds.
 */
export class Refresher {
  readonly #host: RefreshHost;
  readonly #lanes: ReadonlyMap<SourceReader, Lane>;
  /** Readings that are not part of a generation yet. */
  #ready = new Map<SourceReader, SourceReading>();
  #making: Promise<void> = Promise.resolve();

  constructor(host: RefreshHost) {
    this.#host = host;
    this.#lanes = new Map(
      host.readers.map((reader) => [reader, new Lane((force) => this.#read(reader, force))]),
    );
  }

  /** Resolves once every source of the request was read after this call and its answer is part of a generation. */
  async refresh(request: RefreshRequest): Promise<void> {
    const { readers, force, patienceMs = PATIENCE_MS } = request;
    const ended = this.#trace(request);
    let cancel = () => {};
    try {
      const reads = readers.map((reader) => (this.#lanes.get(reader) as Lane).read(force));
      const patience = new Promise<void>((resolve) => {
        cancel = unrefTimer(patienceMs, resolve);
      });
      await Promise.race([Promise.all(reads), patience]);
      await this.#make(request);
      await Promise.all(reads.map((read) => read.then(() => this.#make(request))));
    } finally {
      cancel();
      ended();
    }
  }

  async #read(reader: SourceReader, force: boolean): Promise<void> {
    const { catalog, signal, timeoutMs } = this.#host;
    // The store closed while this read was queued.
    if (signal.aborted) return;
    const lookups = this.#wantedFrom(reader);
    const list = catalog.discovery !== undefined;
    const reading = await reader.read({ lookups, list }, force, signal, timeoutMs);
    if (signal.aborted) return;
    this.#ready.set(reader, combine(this.#ready.get(reader), reading));
    this.#host.wasRead(reader);
  }

  /** Skips names that a better source serves: names never move down, and each name costs a request in a vault. */
  #wantedFrom(reader: SourceReader): Lookup[] {
    const { catalog } = this.#host;
    const { entries } = this.#host.current();
    const wanted = new Map<string, Lookup>();
    for (const [name, { lookups }] of catalog.definitions) {
      const entry = entries.get(name);
      // Discovery lists names that have no value yet.
      const asked = entry === undefined ? catalog.discovery === undefined : entry.source.rank >= reader.rank;
      // Definitions may share a part, which is read once.
      if (asked) for (const lookup of lookups) wanted.set(lookup.name, lookup);
    }
    return [...wanted.values()];
  }

  /** Makes a generation of the readings that are ready, after the generation in progress. */
  #make(request: RefreshRequest): Promise<void> {
    this.#making = this.#making.then(async () => {
      // The first generation waits for all sources: one that is not read yet may take precedence.
      if (!this.#host.readers.every(({ wasRead }) => wasRead)) return;
      const readings = this.#ready;
      this.#ready = new Map();
      if (readings.size === 0 || this.#host.signal.aborted) return;
      try {
        await this.#makeOf(readings, request);
      } catch (error) {
        // These readings are lost, so the next read must answer in full.
        for (const reader of readings.keys()) reader.forget();
        this.#host.broke(error);
      }
      wipe(readings);
    });
    return this.#making;
  }

  async #makeOf(
    readings: ReadonlyMap<SourceReader, SourceReading>,
    { trigger, followsUp = false }: RefreshRequest,
  ): Promise<void> {
    const { catalog, owner, signal, timeoutMs } = this.#host;
    const before = this.#host.current().views;
    const news = [...readings].some(
      ([reader, { answers, failure }]) => answers !== undefined || failure !== before.get(reader)?.failure,
    );
    if (!news) return;

    const now = new Date();
    const views = nextViews(before, readings);
    const impossible = discover(catalog, readings);
    const resolutions = new Map<string, Resolution>();
    for (;;) {
      // While a slow schema runs, a snapshot may find more names on demand.
      const open = [...catalog.definitions].filter(([name]) => !resolutions.has(name));
      if (open.length === 0) break;
      const { entries } = this.#host.current();
      const evidence = { owner, views, readings, now, timeoutMs };
      const resolved = await Promise.all(
        open.map(([name, definition]) => resolve(name, definition, entries.get(name), evidence)),
      );
      for (const [index, [name]] of open.entries()) resolutions.set(name, resolved[index] as Resolution);
    }
    if (signal.aborted) return;
    const inOrder = new Map(
      [...catalog.definitions.keys()].map((name) => [name, resolutions.get(name) as Resolution]),
    );
    const findings = { views, readings, resolutions: inOrder, impossible };
    const step = nextGeneration(this.#host.current(), catalog, findings, now);
    for (const reader of step.incomplete) reader.forget();
    for (const name of step.forgotten) catalog.definitions.delete(name);
    this.#host.advance(step, trigger);
    this.#confirm(step.unconfirmed, trigger);
    if (step.awaited.size === 0 || followsUp) return;
    const readers = [...step.awaited];
    void detached(() => this.refresh({ trigger, readers, force: true, followsUp: true }));
  }

  /** Reads sources again soon, because a generation without a name waits for a second reading that lacks it. */
  #confirm(unconfirmed: ReadonlySet<SourceReader>, trigger: string): void {
    if (unconfirmed.size === 0) return;
    const readers = [...unconfirmed];
    detached(() =>
      unrefTimer(CONFIRM_MS, () => {
        if (!this.#host.signal.aborted) void this.refresh({ trigger, readers, force: true });
      }),
    );
  }

  /** Publishes the start; the function that it returns publishes the end. */
  #trace({ trigger, readers }: RefreshRequest): () => void {
    const { owner, current } = this.#host;
    refreshes += 1;
    const refresh = refreshes;
    const before = current().number;
    const startedAt = performance.now();
    const started = (): RefreshStarted => ({
      ...owner,
      refresh,
      trigger,
      sources: readers.map(({ source }) => source.name),
    });
    publish('hot-secrets:refresh:start', started);
    return () =>
      publish('hot-secrets:refresh:end', () => {
        const failures = readers.flatMap(({ source, failure }) =>
          failure === undefined ? [] : [{ source: source.name, code: failure.code }],
        );
        const generation = current().number;
        const changed = generation === before ? 'unchanged' : 'changed';
        const outcome = failures.length > 0 ? 'failed' : changed;
        return { ...started(), durationMs: performance.now() - startedAt, generation, outcome, failures };
      });
  }
}

/** Runs the reads of one source, one at a time. */
class Lane {
  readonly #run: (force: boolean) => Promise<void>;
  /** `resting`: a read has just ended, and the next one starts in a later turn of the event loop. */
  #state: 'idle' | 'reading' | 'resting' = 'idle';
  #next: { force: boolean; readonly done: Promise<void>; readonly start: () => void } | undefined;

  constructor(run: (force: boolean) => Promise<void>) {
    this.#run = run;
  }

  /** Settles with a read that starts after this call. An earlier read may have missed the change. */
  read(force: boolean): Promise<void> {
    if (this.#state === 'idle') return this.#start(force);
    if (this.#next !== undefined) {
      this.#next.force ||= force;
      return this.#next.done;
    }
    let start = () => {};
    const turn = new Promise<void>((resolve) => {
      start = resolve;
    });
    const next = { force, start, done: turn.then((): Promise<void> => this.#start(next.force)) };
    this.#next = next;
    return next.done;
  }

  async #start(force: boolean): Promise<void> {
    // Set before the source is called, because it may request another read during this one.
    this.#state = 'reading';
    try {
      await this.#run(force);
    } finally {
      this.#state = 'resting';
      inAnotherTurn(() => this.#rested());
    }
  }

  #rested(): void {
    const next = this.#next;
    this.#next = undefined;
    this.#state = next === undefined ? 'idle' : 'reading';
    next?.start();
  }
}

/** Combines two readings of one source that no generation has used: the last answers and the last failure count. */
function combine(before: SourceReading | undefined, reading: SourceReading): SourceReading {
  if (before?.answers === undefined || reading.answers !== undefined) {
    if (before?.answers !== undefined) wipeReading(before);
    return reading;
  }
  return { ...before, failure: reading.failure };
}

/** Overwrites the bytes with zeros. The store owns them, and keeps only decoded values. */
function wipe(readings: ReadonlyMap<SourceReader, SourceReading>): void {
  for (const reading of readings.values()) wipeReading(reading);
}

function wipeReading({ answers }: SourceReading): void {
  for (const answer of answers?.values() ?? []) {
    if (answer.status !== 'found') continue;
    try {
      answer.bytes.fill(0);
    } catch {
      // The source transferred the memory (a detached buffer), so there is nothing to wipe.
    }
  }
}
