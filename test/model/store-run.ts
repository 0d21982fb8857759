import {
  isSecretsError,
  SecretStore,
  SecretsError,
  type Snapshot,
  type StoreEvents,
  secret,
} from 'hot-secrets';
import { vi } from 'vitest';
import { define } from '../../src/definitions/definition';
import { lookup } from '../../src/secret/lookup';
import { HeldSnapshot } from './held-snapshot';
import { type Answers, answersOf, Invariants } from './invariants';
import { NAMES, type Operation, type Reaction, type Scene } from './operations';
import { type Condition, foreign, partsOf, ScriptedSource, valueText } from './world';

const REFRESH_TIMEOUT_MS = 400;
/** Longer than anything in a scene takes that ends by itself. */
const SETTLED_MS = 3_000;
/** Steps that still run after the store was closed. */
const MAX_STEPS_AFTER_CLOSE = 12;
const PAIR = ['pair.a', 'pair.b'];
const EVENTS = ['change', 'error', 'recovered', 'close'] as const;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Lets simulated time pass in small steps, with everything that waits for it. */
async function elapse(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await turn();
    vi.advanceTimersByTime(Math.min(50, ms - passed));
  }
  await turn();
}

/** One store with scripted sources, taken through the steps of a scene. */
export class StoreRun {
  readonly executed: Operation['kind'][] = [];
  readonly #scene: Scene;
  readonly #sources: ScriptedSource[];
  readonly #invariants: Invariants;
  readonly #units: ReadonlyMap<string, { readonly parts: readonly string[]; readonly optional: boolean }>;
  readonly #held: HeldSnapshot[] = [];
  readonly #reactions: { event: string; reaction: Reaction }[] = [];
  readonly #events: { event: string; payload: unknown }[] = [];
  /** Errors that were told of and not taken back, by secret or source. */
  readonly #wrong = new Map<string, SecretsError>();
  /** Names whose value the application has read. */
  readonly #read = new Set<string>();
  /** Names that it asked about: the store may have found them on demand. */
  readonly #sought = new Set<string>();
  #store!: SecretStore;
  #schema: { answers: string; release: (() => void)[] } = { answers: 'at once', release: [] };
  #before: Answers = new Map();
  #generation = 1;
  #refreshing = 0;
  #closing: Promise<void> | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
    const required = ['user', 'password', 'config'];
    const unit = (name: string) => [name, { parts: [name], optional: !required.includes(name) }] as const;
    this.#units = new Map<string, { parts: readonly string[]; optional: boolean }>(
      scene.declared
        ? [
            ...NAMES.filter((name) => !PAIR.includes(name)).map(unit),
            ['pair', { parts: PAIR, optional: false }],
          ]
        : NAMES.map((name) => [name, { parts: [name], optional: false }]),
    );
    const json = new Set(scene.declared ? ['config', 'extra'] : []);
    this.#sources = scene.sources.map(({ traits, names }, index) => {
      const last = scene.declared && index === scene.sources.length - 1;
      const all = new Set<string>([...names, ...(last ? [...required, ...PAIR] : [])]);
      if (PAIR.some((part) => all.has(part))) for (const part of PAIR) all.add(part);
      return new ScriptedSource(index, traits, all, json, (what) => this.#invariants.violated('f', what));
    });
    this.#invariants = new Invariants(this.#sources, {
      optional: (name) => this.#units.get(name)?.optional === true,
      mayLeave: (name) => !scene.declared && !this.#read.has(name),
    });
  }

  async run(): Promise<void> {
    const unhandled = (error: unknown) =>
      this.#invariants.violated('g', `unhandled rejection: ${String(error).slice(0, 300)}`);
    process.on('unhandledRejection', unhandled);
    try {
      await this.#open();
      let left = MAX_STEPS_AFTER_CLOSE;
      for (const { operation, microtasks, turns } of this.#scene.steps) {
        if (this.#closing !== undefined && left-- === 0) break;
        this.executed.push(operation.kind);
        await this.#execute(operation);
        for (let count = 0; count < microtasks && turns === 0; count += 1) await null;
        for (let count = 0; count < turns; count += 1) await turn();
        this.#inspect();
      }
      await this.#calm('refresh');
      await this.#close();
      await this.#afterClose();
      this.#throwViolations();
    } finally {
      await elapse(0);
      process.off('unhandledRejection', unhandled);
      vi.clearAllTimers();
    }
  }

  async #open(): Promise<void> {
    const opening = SecretStore.open({
      sources: this.#sources,
      refreshTimeoutMs: REFRESH_TIMEOUT_MS,
      ...(this.#scene.declared ? { secrets: this.#definitions() } : {}),
    } as { sources: ScriptedSource[] });
    await elapse(50);
    this.#store = await opening;
    this.#generation = this.#store.generation;
    this.#before = answersOf(this.#store);
    for (const event of EVENTS) this.#store.on(event, (payload) => this.#heard(event, payload));
    for (const event of EVENTS) this.#store.on(event, () => this.#reactToEvent(event));
    this.#inspect();
  }

  #definitions() {
    const validate = (value: unknown) => this.#validate(value);
    const schema = { '~standard': { version: 1, vendor: 'model', validate } } as const;
    const pair = define({
      kind: 'pair',
      lookups: PAIR.map((part) => lookup(part)),
      keepPreviousMs: 0,
      decode: (parts) => {
        if (parts.some(({ length }) => length === 0)) throw foreign();
        return parts.map((part) => new TextDecoder('utf-8', { fatal: true }).decode(part)).join('|');
      },
    });
    return {
      user: 'user',
      password: 'password',
      config: secret.json('config', schema),
      pair,
      token: secret.text('token').optional(),
      extra: secret.json('extra', schema).optional(),
    };
  }

  async #validate(value: unknown): Promise<{ value: unknown } | { issues: { path: string[] }[] }> {
    const { answers, release } = this.#schema;
    if (answers === 'throws') throw foreign();
    if (answers === 'after some microtasks') for (let count = 0; count < 5; count += 1) await null;
    if (answers === 'held') await new Promise<void>((resolve) => release.push(resolve));
    if (answers === 'too late') await new Promise((resolve) => setTimeout(resolve, 2 * REFRESH_TIMEOUT_MS));
    return (value as { ok: boolean }).ok ? { value } : { issues: [{ path: [valueText('issue', 9, 9)] }] };
  }

  async #execute(operation: Operation): Promise<void> {
    const sources = this.#sources;
    const source =
      'source' in operation ? (sources[operation.source % sources.length] as ScriptedSource) : sources[0]!;
    const held = source.picture;
    const all = (condition: Condition) =>
      Object.fromEntries([...held.keys()].map((name) => [name, condition]));
    switch (operation.kind) {
      case 'rotate': {
        const names = operation.names === 'all' ? [...held.keys()] : operation.names;
        const there = names.filter((name) => held.has(name));
        return source.change(Object.fromEntries(there.map((name) => [name, 'good'])));
      }
      case 'swap': {
        const dropped = operation.drop.map((name) => [name, undefined]);
        const added = operation.add.map((name) => [name, 'good']);
        return source.change({ ...all('good'), ...Object.fromEntries([...dropped, ...added]) });
      }
      case 'spoil': {
        const { name, condition, others } = operation;
        const json = this.#scene.declared && (name === 'config' || name === 'extra');
        const how = condition === 'refused' && !json ? 'empty' : condition;
        return source.change({ ...(others ? all('good') : {}), [name]: how });
      }
      case 'restore':
        return this.#restore(source);
      case 'fail':
        return source.fail(operation.fault, operation.times);
      case 'down':
        source.down = operation.on;
        return;
      case 'slow':
        return source.slow(operation.pace, operation.times);
      case 'release':
        return source.release();
      case 'schema':
        return this.#setSchema(operation.answers);
      case 'hint':
        for (let count = 0; count < operation.times; count += 1) this.#hint(source, operation.trigger);
        return;
      case 'within read': {
        const { reaction } = operation;
        source.within[operation.later ? 'later' : 'start'] = () => void this.#react(reaction, source);
        return;
      }
      case 'listener':
        this.#reactions.push(operation);
        return;
      case 'watch problem':
        return this.#watchProblem(source, operation.on);
      case 'refresh':
        for (let count = 0; count < operation.times; count += 1) this.#refresh();
        return;
      case 'hold':
        return this.#hold();
      case 'ask snapshot': {
        const snapshot = this.#held[operation.snapshot % Math.max(1, this.#held.length)];
        this.#sought.add(operation.name);
        snapshot?.ask(operation.name, operation.how);
        for (const name of snapshot?.revealed.keys() ?? []) this.#read.add(name);
        return this.#noteFound();
      }
      case 'ask store':
        this.#askStore(operation.name);
        return this.#noteFound();
      case 'pass':
        return elapse(operation.ms);
      case 'insist':
        return this.#insist();
      case 'calm':
        return this.#calm(operation.by);
      case 'close':
        void this.#close();
        return;
    }
  }

  // What happens to the store.

  #hint(source: ScriptedSource, trigger: string): void {
    this.#invariants.harmless('hint()', () => source.listener?.hint(trigger));
  }

  #refresh(): Promise<void> {
    this.#refreshing += 1;
    const refreshed = this.#invariants.harmless('refresh()', () => this.#store.refresh());
    const closed = () => (this.#closing === undefined ? [] : (['STORE_CLOSED'] as const));
    const rejected = (error: unknown) => {
      const rethrow = () => {
        throw error;
      };
      this.#invariants.harmless('refresh(), later,', rethrow, ...closed());
    };
    return Promise.resolve(refreshed)
      .catch(rejected)
      .finally(() => {
        this.#refreshing -= 1;
      });
  }

  #close(): Promise<void> {
    // Known before the store tells of it.
    this.#closing ??= Promise.resolve();
    const closing = this.#invariants.harmless('close()', () => this.#store.close());
    return Promise.resolve(closing).catch((error) =>
      this.#invariants.violated('g', `close() rejects: ${error}`),
    );
  }

  #hold(): void {
    if (this.#closing !== undefined) return;
    const held = new HeldSnapshot(this.#store.snapshot(), this.#held.length, this.#invariants);
    this.#held.push(held);
    if (this.#scene.readsAll) held.readAll();
    for (const name of held.revealed.keys()) this.#read.add(name);
  }

  #askStore(name: string): unknown {
    this.#sought.add(name);
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

  /** What the store found on demand, it serves from now on. */
  #noteFound(): void {
    if (this.#closing !== undefined) return;
    const found = [...answersOf(this.#store)].filter(
      ([name]) => this.#sought.has(name) && !this.#before.has(name),
    );
    this.#before = new Map([...this.#before, ...found]);
  }

  #watchProblem(source: ScriptedSource, on: boolean): void {
    const error = new SecretsError('WATCH_UNAVAILABLE', `${source.name} is not watched`, {
      source: source.name,
    });
    this.#invariants.harmless('problem()', () =>
      on ? source.listener?.problem(error) : source.listener?.solved('WATCH_UNAVAILABLE'),
    );
  }

  #setSchema(answers: string): void {
    const { release } = this.#schema;
    this.#schema = { answers, release: [] };
    if (answers !== 'held') for (const one of release) one();
    else this.#schema.release = release;
  }

  #react(reaction: Reaction, source: ScriptedSource): unknown {
    switch (reaction) {
      case 'throws':
        throw foreign();
      case 'rejects':
        return Promise.reject(foreign());
      case 'hints':
        return this.#hint(source, 'watch');
      case 'refreshes':
        return void this.#refresh();
      case 'closes':
        return void this.#close();
      case 'holds a snapshot':
        return this.#hold();
      case 'asks for a name':
        this.#askStore('token');
        return this.#noteFound();
    }
  }

  #reactToEvent(event: string): unknown {
    const index = this.#reactions.findIndex((one) => one.event === event);
    const [armed] = index < 0 ? [] : this.#reactions.splice(index, 1);
    return armed === undefined ? undefined : this.#react(armed.reaction, this.#sources[0]!);
  }

  // What the store says.

  #heard(event: keyof StoreEvents, payload: StoreEvents[keyof StoreEvents]): void {
    this.#invariants.noValue(`the event ${event}`, payload);
    if (this.#events.some((one) => one.event === 'close')) {
      this.#invariants.violated('g', `an event ${event} comes after close`);
    }
    this.#events.push({ event, payload });
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
    const what = `generation ${snapshot.generation} serves, the last event told of ${this.#generation}`;
    this.#invariants.violated('c', what);
  }

  /** After every step. */
  #inspect(): void {
    for (const report of ['health', 'report'] as const) {
      const told = this.#invariants.harmless(`${report}()`, () => this.#store[report]());
      this.#invariants.noValue(report, JSON.stringify(told));
    }
    for (const held of this.#held) held.reread();
    if (this.#closing === undefined) this.#inspectOpen();
    this.#throwViolations();
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
      const parts = JSON.stringify(partsOf(this.#askStore(name)));
      if (parts === JSON.stringify(now.get(name)?.parts)) continue;
      this.#invariants.violated('a', `"${name}" is ${parts}, and its report is of another version`);
    }
  }

  // What has to hold once nothing moves.

  /** Refreshing a world that does not change says nothing new, however bad it is. */
  async #insist(): Promise<void> {
    this.#steady();
    await elapse(SETTLED_MS);
    for (let count = 0; count < 2; count += 1) await this.#refreshed();
    if (this.#closing !== undefined) return;
    const { length } = this.#events;
    for (let count = 0; count < 2; count += 1) await this.#refreshed();
    const more = this.#events
      .slice(length)
      .map(({ event, payload }) => `${event} ${(payload as Error).message ?? ''}`);
    if (more.length > 0)
      this.#invariants.violated('h', `a world that stays the same is told of again: ${more.join('; ')}`);
  }

  /** With healthy sources, one refresh brings the newest of each, and no problem stays. */
  async #calm(by: 'refresh' | 'hints'): Promise<void> {
    this.#steady();
    for (const source of this.#sources) {
      source.down = false;
      this.#watchProblem(source, false);
      const ever = new Set(source.history.flatMap((picture) => [...picture.keys()]));
      this.#restore(source, ever);
    }
    await elapse(SETTLED_MS);
    if (this.#refreshing > 0) this.#invariants.violated('e', `${this.#refreshing} refreshes never settle`);
    const reads = this.#sources.map((source) => source.reads);
    // A name that only a lower source lists is found there first, and moves up after that.
    const twice = by === 'hints' || !this.#sources.every(({ traits }) => traits.lists);
    for (let count = 0; count < (twice ? 2 : 1); count += 1) {
      if (by === 'refresh') await this.#refreshed();
      else for (const source of this.#sources) this.#hint(source, 'poll');
      await elapse(by === 'hints' ? 500 : 0);
    }
    if (this.#closing !== undefined) return;
    for (const [index, { name, reads: now }] of this.#sources.entries()) {
      if (now === reads[index]) this.#invariants.violated('f', `${name} is not read any more`);
    }
    this.#newestServes();
    this.#allIsWell();
  }

  /** Ends what is under way, and what was prepared. The values stay as they are. */
  #steady(): void {
    for (const source of this.#sources) source.steady();
    this.#reactions.length = 0;
    this.#setSchema('at once');
  }

  async #refreshed(): Promise<void> {
    void this.#refresh();
    await elapse(100);
  }

  #restore(source: ScriptedSource, names: Iterable<string> = source.picture.keys()): void {
    const wanted = new Set(names);
    if (PAIR.some((part) => wanted.has(part))) for (const part of PAIR) wanted.add(part);
    const bad = [...wanted].filter((name) => source.picture.get(name)?.condition !== 'good');
    if (bad.length > 0) source.change(Object.fromEntries(bad.map((name) => [name, 'good'])));
  }

  #newestServes(): void {
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

  #allIsWell(): void {
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

  async #afterClose(): Promise<void> {
    const reads = this.#sources.map((source) => source.reads);
    for (const source of this.#sources) this.#hint(source, 'watch');
    await this.#refresh();
    await elapse(SETTLED_MS);
    const told = this.#events.filter(({ event }) => event === 'close').length;
    if (told !== 1) this.#invariants.violated('g', `${told} events of close`);
    for (const [index, source] of this.#sources.entries()) {
      if (source.closes !== 1)
        this.#invariants.violated('g', `${source.name} is closed ${source.closes} times`);
      if (source.stops !== 1)
        this.#invariants.violated('g', `the watch of ${source.name} is stopped ${source.stops} times`);
      if (source.reads !== reads[index])
        this.#invariants.violated('f', `${source.name} is read after close()`);
    }
    for (const held of this.#held) held.reread();
  }

  #throwViolations(): void {
    const [first] = this.#invariants.violations;
    if (first !== undefined) throw new Error(first);
  }
}

/** What an error is about. A source names the part of a pair that it failed at, the store names the pair. */
const subjectOf = ({ secret: name, source }: SecretsError) =>
  name === undefined ? `source ${source}` : `secret ${name.replace(/^pair.*/, 'pair')}`;
