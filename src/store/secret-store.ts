import type { Definition } from '../definitions/definition';
import { describeError } from '../internal/describe-error';
import { detached } from '../internal/time';
import { publish } from '../observe/channels';
import { makeObserved } from '../observe/observed';
import { redactor } from '../redact/redactor';
import type { SourceListener } from '../sources/source';
import { adopt } from './adopt';
import { assemble, type EngineState, openProblem, readSource } from './engine';
import { closed, defect } from './failures';
import { type Look, looks } from './looks';
import { missingError, unknownName } from './missing';
import { Problems, subjectOfSecret, subjectOfSource } from './problems';
import { healthOf, reportOf } from './report';
import { Reviews } from './reviews';
import { type Miss, type Serving, StoreSnapshot } from './snapshot';
import type { Outcome, SourceState } from './source-state';
import { tracedLook } from './traced-look';
import type { Boxes, Lists, SecretStore, Snapshot, StoreEvents, StoreHealth, StoreReport } from './types';
import { Voice } from './voice';

interface Setup {
  readonly name: string;
  readonly sources: readonly SourceState[];
  readonly definitions: Map<string, Definition<unknown>>;
  readonly discovering: boolean;
  readonly timeoutMs: number;
  readonly expiryThresholdsDays: readonly number[];
}

type Entries = ReadonlyMap<string, Serving>;

/** The store: one snapshot, replaced as a whole, and what leads to the next one. */
export class LiveStore<V> implements SecretStore<V> {
  readonly #state: EngineState;
  readonly #voice: Voice;
  readonly #abort = new AbortController();
  readonly #reviews: Reviews;
  readonly #look: Look;
  readonly #stops: (() => void | Promise<void>)[] = [];
  #entries: Entries = new Map();
  #snapshot: StoreSnapshot<V>;
  #redact: ((text: string) => string) | undefined;
  #closing: Promise<void> | undefined;

  constructor(setup: Setup) {
    const { store, storeId } = makeObserved(this, setup.name);
    const owner = { store, storeId };
    this.#voice = new Voice(owner);
    const problems = new Problems(
      (error) => this.#voice.error(error),
      (error) => this.#voice.recovered(error),
    );
    this.#state = { ...setup, owner, problems, refused: new Set() };
    this.#reviews = new Reviews({
      thresholdsDays: setup.expiryThresholdsDays,
      definitions: setup.definitions,
      problems,
      expiring: (event) => this.#voice.expiring(event),
    });
    const look = looks(setup.sources.length, {
      read: (index, force) => readSource(this.#state, this.#entries, { index, force }, this.#abort.signal),
      assemble: (outcomes, trigger) => this.#assemble(outcomes, trigger),
    });
    this.#look = tracedLook(look, this.#state, () => this.generation);
    this.#snapshot = this.#next(0, this.#entries);
  }

  /** Opens the sources, watches them and takes the first snapshot. Closes what it opened when that fails. */
  async open(): Promise<this> {
    const startedAt = performance.now();
    try {
      const all = this.#allSources();
      await Promise.all(this.#state.sources.map((source) => source.open(this.#abort.signal)));
      // Before the first read: what changes between the two is then hinted at.
      for (const [index, state] of this.#state.sources.entries()) this.#watchSource(state, index);
      await this.#look({ trigger: 'open', sources: all, force: true }, Number.POSITIVE_INFINITY);
      const problem = openProblem(this.#state, this.#entries);
      if (problem === undefined) {
        // A store that opened has a generation, also where it found nothing yet.
        if (this.generation === 0) this.#snapshot = this.#next(1, this.#entries);
        this.#tellOpened(performance.now() - startedAt);
        return this;
      }
      if ('error' in problem) throw problem.error;
      throw await missingError(problem.missing, this.#state.definitions, this.#state.sources);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get name(): string {
    return this.#state.owner.store;
  }

  get generation(): number {
    return this.#snapshot.generation;
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

  has(name: string): boolean {
    return this.#snapshot.has(name);
  }

  names(): readonly string[] {
    return this.#snapshot.names();
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
    const first: unknown = listener(current, undefined);
    if (first instanceof Promise) first.catch((error) => this.#voice.listenerFailed('change', error));
    return this.#voice.on('change', ({ changes }) => {
      if (!changes.some((change) => change.name === name)) return;
      const previous = current;
      current = this.#snapshot.get(name);
      return listener(current, previous);
    });
  }

  on<E extends keyof StoreEvents>(event: E, listener: (payload: StoreEvents[E]) => void): () => void {
    this.#assertOpen();
    return this.#voice.on(event, listener);
  }

  async refresh({ trigger = 'refresh' }: { readonly trigger?: string } = {}): Promise<void> {
    this.#assertOpen();
    await this.#look({ trigger, sources: this.#allSources(), force: true });
  }

  report(): StoreReport {
    return reportOf(this.#state, this.generation, this.#entries);
  }

  health(): StoreHealth {
    return healthOf(this.#state, this.generation, this.#reviews.expiries());
  }

  redact(text: string): string {
    this.#redact ??= redactor(this.#entries, this.#state.definitions);
    return this.#redact(text);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#abort.abort();
    this.#reviews.close();
    this.#snapshot = new StoreSnapshot(this.generation, new Date(), new Map(), () => {
      throw closed();
    });
    const stops = [
      ...this.#stops,
      ...this.#state.sources.map(
        ({ source }) =>
          () =>
            source.close?.(),
      ),
    ];
    const failed = (error: unknown) =>
      process.emitWarning(`hot-secrets: closing failed with ${describeError(error)}`);
    // Said before anything is waited for: who holds something for this store is to let go now.
    this.#voice.closing(this.generation);
    await Promise.all(stops.map(async (stop) => stop()).map((stopped) => stopped.catch(failed)));
    this.#voice.silence();
  }

  #tellOpened(durationMs: number): void {
    publish('hot-secrets:store:open', () => ({
      ...this.#state.owner,
      generation: this.generation,
      secrets: this.#entries.size,
      sources: this.#state.sources.map(({ source }) => source.name),
      durationMs,
    }));
    this.#voice.opened();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  #allSources(): Set<number> {
    return new Set(this.#state.sources.keys());
  }

  #watchSource(state: SourceState, index: number): void {
    const { problems } = this.#state;
    const subject = (code: string) => subjectOfSource(index, `watch ${code}`);
    const listener: SourceListener = {
      hint: (trigger) => {
        if (this.#closing !== undefined) return;
        // A look reports its own failures; what is left would be a defect here, and must not end the process.
        const looking = detached(() => this.#look({ trigger, sources: new Set([index]), force: false }));
        looking.catch((error) => this.#voice.error(defect(error)));
      },
      problem: (error) => problems.set(subject(error.code), error),
      solved: (code) => problems.clear(subject(code)),
    };
    try {
      const stop = state.source.watch?.(listener);
      if (stop !== undefined) this.#stops.push(stop);
    } catch (error) {
      listener.problem(state.asSecretsError(error));
    }
  }

  async #assemble(outcomes: ReadonlyMap<number, Outcome>, trigger: string): Promise<void> {
    if (this.#closing !== undefined) return;
    const before = this.#entries;
    const { entries, changes } = await assemble(this.#state, before, outcomes);
    if (this.#closing !== undefined || entries === before) return;
    // Names that were adopted while the look was under way.
    const adopted = this.#entries === before ? [] : [...this.#entries].filter(([name]) => !before.has(name));
    this.#entries = new Map([...adopted, ...entries]);
    this.#redact = undefined;
    this.#snapshot = this.#next(this.generation + (changes.length > 0 ? 1 : 0), this.#entries);
    if (changes.length > 0 && trigger !== 'open') {
      this.#voice.changed({ generation: this.generation, trigger, changes });
    }
    // After the listeners: they are to act on a rotation without delay. One of them may have closed.
    if (this.#closing === undefined) this.#reviews.update(this.#entries);
  }

  #next(generation: number, entries: Entries): StoreSnapshot<V> {
    const miss: Miss = (name) => this.#miss(name);
    return new StoreSnapshot<V>(generation, new Date(), entries, miss);
  }

  /** A name without a value: optional, broken, unknown, or one that nobody declared and the environment has. */
  #miss(name: string): Serving | undefined {
    const { definitions, problems, discovering } = this.#state;
    const problem = problems.get(subjectOfSecret(name));
    if (definitions.has(name)) {
      if (discovering && problem !== undefined) throw problem;
      if (!discovering) return undefined;
    }
    const adopted = discovering ? this.#adopt(name) : undefined;
    if (adopted === undefined)
      throw problem ?? unknownName(name, [...definitions.keys()], this.#state.sources);
    return adopted;
  }

  #adopt(name: string): Serving | undefined {
    const serving = adopt(this.#state, name);
    if (serving === undefined) return undefined;
    this.#entries = new Map(this.#entries).set(name, serving);
    this.#redact = undefined;
    if (this.#closing === undefined) this.#snapshot = this.#next(this.generation, this.#entries);
    return serving;
  }
}
