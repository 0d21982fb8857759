import type { Definition } from '../definitions/definition';
import type { SecretsError } from '../errors';
import { builtin, inspectCustom } from '../internal/builtins';
import { isThenable, type ListenOptions } from '../internal/events';
import { readOptions, text } from '../internal/options';
import { realNow } from '../internal/real-time';
import { detached } from '../internal/time';
import { type OfStore, publish } from '../observe/channels';
import { makeObserved } from '../observe/observed';
import type { Masked, redactor } from '../redact/redactor';
import type { Source, SourceListener } from '../sources/source';
import { closeSources } from './close-sources';
import { assertComplete, isComplete, notListener, refreshBroke, storeClosed } from './errors';
import { ExpiryWatch } from './expiry';
import { type Catalog, emptyGeneration, type Generation, type Step } from './generation';
import { Notifier } from './notifier';
import { Problems } from './problems';
import { Refresher } from './refresh';
import { healthOf, type ReportInput, reportOf } from './report';
import { discovered, type Entry } from './resolve';
import { ClosedSnapshot, StoreSnapshot } from './snapshot';
import { SourceReader } from './source-reader';
import type {
  Boxes,
  Lists,
  SecretStore,
  Snapshot,
  StoreEvents,
  StoreHealth,
  StoreListeners,
  StoreReport,
} from './types';
import { waitForSecrets } from './wait-for-secrets';

interface Setup {
  readonly name: string;
  readonly sources: readonly Source[];
  /** Definitions by name; `undefined` if nothing is declared and names are discovered. */
  readonly definitions: Map<string, Definition<unknown>> | undefined;
  readonly listeners: StoreListeners;
  readonly timeoutMs: number;
  readonly expiryThresholdsDays: readonly number[];
}

// biome-ignore lint/suspicious/noExplicitAny: listeners know the names of their store by type; here, names are strings.
type Listener<E extends keyof StoreEvents> = (payload: StoreEvents<any>[E]) => void;

/** Number of boxes found on demand that `redact` masks: the most recent ones. */
const MAX_FOUND = 256;

// A registered symbol, so that the ESM and CJS copies of the package recognize each other's stores.
const BRAND = Symbol.for('hot-secrets.store');

/** Returns true if `value` is a store, even one of another copy of the package. */
export function isStore(value: unknown): boolean {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** The store. Each refresh that finds changes replaces its snapshot as a whole. */
export class LiveStore<V> implements SecretStore<V> {
  readonly #owner: OfStore;
  readonly #readers: readonly SourceReader[];
  readonly #catalog: Catalog;
  readonly #declared: ReadonlySet<string> | undefined;
  readonly #notifier: Notifier;
  readonly #problems: ReportInput['problems'];
  readonly #expiry: ExpiryWatch;
  readonly #refresher: Refresher;
  readonly #abort = new AbortController();
  readonly #timeoutMs: number;
  readonly #stops: (() => void | Promise<void>)[] = [];
  /** Boxes that current and earlier snapshots found on demand. `redact` masks them too. */
  #foundOnDemand: (readonly [name: string, masked: Masked])[] = [];
  /** The last generation. It stays after `close()`. */
  #generation: Generation;
  #snapshot: StoreSnapshot<V> | ClosedSnapshot<V>;
  /** `open()` loads it, because `redact` is synchronous, and a process in trouble may fail to read a file. */
  #redactor: typeof redactor | undefined;
  #redact: ((text: string) => string) | undefined;
  #closing: Promise<void> | undefined;

  constructor({ name, sources, definitions, listeners, timeoutMs, expiryThresholdsDays }: Setup) {
    const { store, storeId } = makeObserved(this, name, (error) => this.#notifier.resourceError(error));
    this.#owner = { store, storeId };
    this.#timeoutMs = timeoutMs;
    this.#readers = sources.map((source, rank) => new SourceReader(source, rank));
    this.#declared = definitions && new Set(definitions.keys());
    this.#catalog = {
      definitions: definitions ?? new Map(),
      discovery: definitions ? undefined : { asked: new Set(), openedWith: new Set() },
    };
    const notifier = new Notifier(this.#owner);
    this.#notifier = notifier;
    for (const [event, listener] of Object.entries(listeners)) {
      if (listener !== undefined) notifier.on(event as 'change', listener as Listener<'change'>);
    }
    const told = {
      started: (error: SecretsError) => notifier.error(error),
      solved: (error: SecretsError) => notifier.recovered(error),
    };
    this.#problems = {
      secrets: new Problems(told),
      warnings: new Problems(told),
      sources: new Problems(told),
    };
    this.#expiry = new ExpiryWatch({
      thresholdsDays: expiryThresholdsDays,
      definitions: this.#catalog.definitions,
      warnings: this.#problems.warnings,
      expiring: (event) => notifier.expiring(event),
    });
    this.#refresher = new Refresher({
      owner: this.#owner,
      readers: this.#readers,
      catalog: this.#catalog,
      timeoutMs,
      signal: this.#abort.signal,
      current: () => this.#current(),
      wasRead: (reader) => this.#noteRead(reader),
      advance: (step, trigger) => this.#advance(step, trigger),
      broke: (error) => notifier.error(refreshBroke(error)),
    });
    this.#generation = emptyGeneration(this.#readers);
    this.#snapshot = this.#snapshotOf(this.#generation);
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Opens the sources, watches them and takes the first snapshot. If that fails, closes everything it opened. */
  async open(): Promise<this> {
    const startedAt = realNow();
    try {
      const [{ redactor }] = await Promise.all([
        import('../redact/redactor'),
        ...this.#readers.map((reader) => reader.open(this.#abort.signal, this.#timeoutMs)),
      ]);
      this.#redactor = redactor;
      // Watch before the first read, so that no change in between is lost.
      for (const reader of this.#readers) this.#watchSource(reader);
      await this.#refresh('open', this.#readers, true, Number.POSITIVE_INFINITY);
      await waitForSecrets({
        readers: this.#readers,
        startedAt,
        signal: this.#abort.signal,
        isComplete: () => isComplete(this.#generation, this.#catalog),
        refresh: (readers) => this.#refresh('open', readers, false, Number.POSITIVE_INFINITY),
      });
      await assertComplete(this.#generation, this.#catalog);
      // An open store has a generation, even if it found no secrets yet.
      const { discovery } = this.#catalog;
      if (discovery !== undefined) discovery.openedWith = new Set(this.#generation.entries.keys());
      if (this.generation === 0) this.#replace({ ...this.#generation, number: 1 });
      this.#publishOpened(realNow() - startedAt);
      return this;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get name(): string {
    return this.#owner.store;
  }

  get generation(): number {
    return this.#generation.number;
  }

  reveal<K extends keyof V & string>(name: K): V[K] {
    return this.#snapshot.reveal(name);
  }

  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K] {
    return this.#snapshot.revealWithPrevious(name);
  }

  get<K extends keyof V & string>(name: K): Boxes<V>[K] {
    return this.#snapshot.get(name);
  }

  graceEndsAt(name: keyof V & string): Date | undefined {
    return this.#snapshot.graceEndsAt(name);
  }

  has(name: keyof V & string): boolean {
    return this.#snapshot.has(name);
  }

  names<N extends keyof V & string = keyof V & string>(): readonly N[] {
    return this.#snapshot.names<N>();
  }

  snapshot(): Snapshot<V> {
    this.#assertOpen();
    return this.#snapshot;
  }

  watch<K extends keyof V & string>(
    name: K,
    listener: (current: Boxes<V>[K], previous: Boxes<V>[K] | undefined) => void,
  ): () => void {
    let current = this.snapshot().get(name);
    if (typeof listener !== 'function') throw notListener(name, listener);
    const first: unknown = listener(current, undefined);
    if (isThenable(first)) first.then(undefined, (error) => this.#notifier.listenerFailed('change', error));
    return this.#notifier.on('change', ({ changes }) => {
      if (this.#closing !== undefined) return;
      if (!changes.some((change) => change.name === name && change.kind !== 'removed')) return;
      const previous = current;
      current = this.#snapshot.get(name);
      return listener(current, previous);
    });
  }

  on<E extends keyof StoreEvents>(event: E, listener: Listener<E>, options?: ListenOptions): () => void {
    this.#assertOpen();
    return this.#notifier.on(event, listener, options);
  }

  once<E extends keyof StoreEvents>(event: E, listener: Listener<E>, options?: ListenOptions): () => void {
    this.#assertOpen();
    return this.#notifier.once(event, listener, options);
  }

  off<E extends keyof StoreEvents>(event: E, listener: Listener<E>): void {
    this.#notifier.off(event, listener);
  }

  /** `events.once` of Node calls this instead of `off`. */
  removeListener<E extends keyof StoreEvents>(event: E, listener: Listener<E>): void {
    this.off(event, listener);
  }

  async refresh(options?: { readonly trigger?: string | undefined }): Promise<void> {
    this.#assertOpen();
    const { trigger } = readOptions('refresh', options, { trigger: text('refresh') });
    await this.#refresh(trigger, this.#readers, true);
  }

  report(): StoreReport {
    return reportOf(this.#reportInput());
  }

  health(): StoreHealth {
    return healthOf(this.#reportInput(), this.#expiry.expiries());
  }

  redact(line: string): string {
    this.#redact ??= (this.#redactor as typeof redactor)(
      [...this.#generation.entries, ...this.#foundOnDemand],
      this.#catalog.definitions,
    );
    return this.#redact(line);
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      // Set before listeners run: a `close` listener may call `close()` too.
      let closed = () => {};
      this.#closing = new Promise((resolve) => {
        closed = resolve;
      });
      void this.#close().finally(closed);
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get [Symbol.toStringTag](): string {
    return 'SecretStore';
  }

  [inspectCustom](): string {
    const state = this.#closing === undefined ? `generation: ${this.generation}` : 'closed';
    return `SecretStore { name: ${builtin('util').inspect(this.name)}, ${state}, secrets: ${this.#generation.entries.size} }`;
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    this.#expiry.close();
    this.#generation = this.#current();
    this.#snapshot = new ClosedSnapshot(this.generation);
    // Emit first, so that listeners can release their resources.
    this.#notifier.closing(this.generation);
    await closeSources(this.#stops, this.#readers);
  }

  #refresh(
    trigger: string,
    readers: readonly SourceReader[],
    force: boolean,
    patienceMs?: number,
  ): Promise<void> {
    return this.#refresher.refresh({ trigger, readers, force, patienceMs });
  }

  #watchSource(reader: SourceReader): void {
    const listener: SourceListener = {
      hint: (trigger) => {
        if (this.#closing !== undefined) return;
        const why = typeof trigger === 'string' ? trigger : 'watch';
        const refreshing = detached(() => this.#refresh(why, [reader], false));
        refreshing.catch((error) => this.#notifier.error(refreshBroke(error)));
      },
      problem: (error) => {
        const known = reader.asSecretsError(error);
        this.#problems.sources.set(reader, `watch ${known.code}`, known);
      },
      solved: (code) => this.#problems.sources.clear(reader, `watch ${code}`),
    };
    try {
      const stop = reader.source.watch?.(listener);
      if (typeof stop === 'function') this.#stops.push(stop);
    } catch (error) {
      listener.problem(reader.asSecretsError(error));
    }
  }

  #noteRead(reader: SourceReader): void {
    const { failure } = reader;
    if (failure === undefined) this.#problems.sources.clear(reader, 'read');
    else this.#problems.sources.set(reader, 'read', failure, failure.message);
  }

  /** Puts the next generation in place, then notifies listeners. */
  #advance({ generation, changes, problems }: Step, trigger: string): void {
    const before = this.#generation;
    this.#replace(generation);
    for (const [name, problem] of problems) {
      if (problem === undefined) this.#problems.secrets.clear(name, 'value');
      else this.#problems.secrets.set(name, 'value', problem.error, problem.cause);
      // A listener may have closed the store.
      if (this.#closing !== undefined) return;
    }
    if (changes.length > 0) {
      this.#notifier.changed({ generation: generation.number, trigger, changes });
    }
    // Expiry comes last: listeners act on the rotation first, and may have closed the store.
    if (this.#closing === undefined && before.entries !== generation.entries) {
      this.#expiry.update(generation.entries);
    }
  }

  #replace(generation: Generation): void {
    if (this.#generation.entries !== generation.entries) this.#redact = undefined;
    this.#generation = generation;
    this.#snapshot = this.#snapshotOf(generation);
  }

  #snapshotOf(generation: Generation): StoreSnapshot<V> {
    return new StoreSnapshot(generation, {
      owner: this.#owner,
      declared: this.#declared,
      asked: this.#catalog.discovery?.asked,
      found: (name, entry) => this.#noteFound(name, entry),
    });
  }

  /** The generation, including names that the current snapshot found on demand. */
  #current(): Generation {
    return this.#snapshot instanceof StoreSnapshot ? this.#snapshot.state : this.#generation;
  }

  /** Adds an undeclared name that a snapshot found to the catalog: refreshes read it, and it moves up when its file appears. */
  #noteFound(name: string, { secret, suspect }: Entry): void {
    this.#foundOnDemand = [[name, { secret, previous: [] }] as const, ...this.#foundOnDemand].slice(
      0,
      MAX_FOUND,
    );
    this.#redact = undefined;
    if (this.#closing !== undefined) return;
    this.#catalog.discovery?.asked.add(name);
    if (!this.#catalog.definitions.has(name)) this.#catalog.definitions.set(name, discovered(name));
    // Later, because the application is reading the value just now. The sources may have nothing new for a long time.
    if (suspect.length > 0) queueMicrotask(() => this.#reviewValues());
  }

  #reviewValues(): void {
    if (this.#closing === undefined) this.#expiry.update(this.#current().entries);
  }

  #reportInput(): ReportInput {
    return { generation: this.#current(), catalog: this.#catalog, problems: this.#problems };
  }

  #publishOpened(durationMs: number): void {
    publish('hot-secrets:store:open', () => ({
      ...this.#owner,
      generation: this.generation,
      secrets: this.#generation.entries.size,
      sources: this.#readers.map(({ source }) => source.name),
      durationMs,
    }));
    this.#notifier.opened();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw storeClosed();
  }
}
