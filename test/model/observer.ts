import {
  isSecretsError,
  type SecretStore,
  type SecretsError,
  type Snapshot,
  type StoreEvents,
} from 'hot-secrets';
import { type Answers, answersOf, type Invariants } from './invariants';
import type { Scene } from './operations';
import type { Unit } from './stage';
import { partsOf, type ScriptedSource } from './world';

interface Subject {
  readonly scene: Scene;
  readonly store: SecretStore;
  readonly sources: readonly ScriptedSource[];
  readonly units: ReadonlyMap<string, Unit>;
  readonly invariants: Invariants;
  /** Names whose value the application has read. */
  readonly read: Set<string>;
  readonly closed: () => boolean;
}

/** Checks the events and the values of a store against the invariants. */
export class Observer {
  /** The events so far. */
  readonly events: { readonly event: keyof StoreEvents; readonly payload: unknown }[] = [];
  readonly #scene: Scene;
  readonly #store: SecretStore;
  readonly #sources: readonly ScriptedSource[];
  readonly #units: ReadonlyMap<string, Unit>;
  readonly #invariants: Invariants;
  readonly #read: Set<string>;
  readonly #closed: () => boolean;
  /** Names that the application asked for. The store may have found them on demand. */
  readonly #sought = new Set<string>();
  /** Errors without a "recovered" event yet, by secret or source. */
  readonly #wrong = new Map<string, SecretsError>();
  #before: Answers;
  #generation: number;

  constructor({ scene, store, sources, units, invariants, read, closed }: Subject) {
    this.#scene = scene;
    this.#store = store;
    this.#sources = sources;
    this.#units = units;
    this.#invariants = invariants;
    this.#read = read;
    this.#closed = closed;
    this.#before = answersOf(store);
    this.#generation = store.generation;
  }

  heard(event: keyof StoreEvents, payload: StoreEvents[keyof StoreEvents]): void {
    this.#invariants.noValue(`the event ${event}`, payload);
    if (this.events.some((one) => one.event === 'close')) {
      this.#invariants.violated('g', `an event ${event} comes after close`);
    }
    this.events.push({ event, payload });
    if (event === 'change') this.#changed(payload as StoreEvents['change']);
    if (event === 'error') this.#failed(payload as SecretsError);
    if (event === 'recovered') this.#wrong.delete(subjectOf(payload as SecretsError));
  }

  #changed(event: StoreEvents['change']): void {
    if (event.generation !== this.#generation + 1) {
      this.#invariants.violated('c', `generation ${event.generation} follows ${this.#generation}`);
    }
    this.#generation = event.generation;
    const snapshot = this.#invariants.harmless('snapshot()', () => this.#store.snapshot(), 'STORE_CLOSED');
    if (snapshot === undefined) return;
    const after = answersOf(this.#store);
    this.#invariants.next(this.#before, after, event);
    this.#before = after;
    this.#judge(snapshot, after);
  }

  #failed(error: SecretsError): void {
    if (error.message.includes('Please report this')) this.#invariants.violated('g', error.message);
    if (error.code !== 'LISTENER_FAILED') this.#wrong.set(subjectOf(error), error);
  }

  #judge(snapshot: Snapshot, answers: Answers): void {
    this.#invariants.oneGeneration(answers, `generation ${snapshot.generation}`);
    if (snapshot.generation === this.#generation) return;
    const what = `generation ${snapshot.generation} serves, but the last event had ${this.#generation}`;
    this.#invariants.violated('c', what);
  }

  /** Runs after every step. */
  inspect(): void {
    for (const report of ['health', 'report'] as const) {
      const result = this.#invariants.harmless(`${report}()`, () => this.#store[report]());
      this.#invariants.noValue(report, JSON.stringify(result));
    }
    if (!this.#closed()) this.#inspectOpen();
  }

  #inspectOpen(): void {
    const snapshot = this.#store.snapshot();
    const now = answersOf(this.#store);
    this.#judge(snapshot, now);
    for (const [name, answer] of now) {
      const known = this.#before.get(name);
      if (known === undefined ? this.#sought.has(name) : JSON.stringify(known) === JSON.stringify(answer))
        continue;
      this.#invariants.violated('c', `"${name}" changes without a new generation`);
    }
    this.#invariants.neverDown(this.#before, now, 'the store');
    this.#before = now;
    if (!this.#scene.readsAll) return;
    for (const name of snapshot.names()) {
      const parts = JSON.stringify(partsOf(this.ask(name)));
      if (parts === JSON.stringify(now.get(name)?.parts)) continue;
      this.#invariants.violated('a', `"${name}" is ${parts}, but its report has another version`);
    }
  }

  /** Reads a secret of the store as the application does. */
  ask(name: string): unknown {
    try {
      const value = this.#store.reveal(name);
      if (value !== undefined) this.#read.add(name);
      return value;
    } catch (error) {
      this.#invariants.noValue(`the error of reveal("${name}")`, error);
      if (!isSecretsError(error)) this.#invariants.violated('g', `reveal("${name}") throws ${error}`);
      return undefined;
    }
  }

  /** The store serves from now on what it found on demand. */
  sought(name: string): void {
    this.#sought.add(name);
    if (this.#closed()) return;
    const found = [...answersOf(this.#store)].filter(
      ([name]) => this.#sought.has(name) && !this.#before.has(name),
    );
    this.#before = new Map([...this.#before, ...found]);
  }

  /** Each secret is served with its newest value, by the best source that has it. */
  newestServes(): void {
    const answers = answersOf(this.#store);
    for (const [name, { parts }] of this.#units) {
      const has = ({ picture }: ScriptedSource) => parts.every((part) => picture.has(part));
      const source = this.#sources.find(has);
      const known =
        this.#scene.declared ||
        answers.has(name) ||
        this.#sources.some((one) => one.traits.lists && has(one));
      const expected =
        source && known && parts.map((part) => `${part}@s${source.index}:${source.picture.get(part)?.stamp}`);
      const answer = answers.get(name);
      const actual = answer?.parts.map((part) => `${part.name}@s${answer.source}:${part.stamp}`);
      if (actual?.join() === (expected || undefined)?.join()) continue;
      this.#invariants.violated(
        'e',
        `all is well, and "${name}" is ${actual ?? 'absent'} instead of ${expected}`,
      );
    }
  }

  /** Health is ok, and every error has its "recovered" event. */
  allIsWell(): void {
    const { status, secrets, sources } = this.#store.health();
    const problems = [
      ...secrets.map(({ name, problem }) => `${name} ${problem}`),
      ...sources.flatMap((one) => one.problems.map(({ message }) => message)),
    ];
    if (status !== 'ok' || problems.length > 0)
      this.#invariants.violated('e', `all is well, and health is ${status}: ${problems.join('; ')}`);
    for (const { message } of this.#wrong.values())
      this.#invariants.violated('h', `no event "recovered" follows: ${message}`);
  }
}

/** What an error is about. A source names the failed part of a pair, the store names the pair. */
const subjectOf = ({ secret: name, source }: SecretsError) =>
  name === undefined ? `source ${source}` : `secret ${name.replace(/^pair.*/, 'pair')}`;
