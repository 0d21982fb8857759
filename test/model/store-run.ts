import { SecretStore, SecretsError } from 'hot-secrets';
import { vi } from 'vitest';
import { HeldSnapshot } from './held-snapshot';
import { Invariants } from './invariants';
import { Observer } from './observer';
import type { Operation, Reaction, Scene } from './operations';
import {
  elapse,
  pause,
  REFRESH_TIMEOUT_MS,
  restore,
  Schemas,
  SETTLED_MS,
  sourcesOf,
  type Unit,
  unitsOf,
} from './stage';
import { type Condition, foreign, type ScriptedSource } from './world';

/** How many steps run after the store has closed. */
const MAX_STEPS_AFTER_CLOSE = 12;
const EVENTS = ['change', 'error', 'recovered', 'close'] as const;

/** Runs the steps of a scene on a store with scripted sources. */
export class StoreRun {
  readonly executed: Operation['kind'][] = [];
  readonly #scene: Scene;
  readonly #sources: ScriptedSource[];
  readonly #invariants: Invariants;
  readonly #units: ReadonlyMap<string, Unit>;
  readonly #schemas = new Schemas();
  readonly #held: HeldSnapshot[] = [];
  readonly #reactions: { event: string; reaction: Reaction }[] = [];
  /** Names whose value the application has read. */
  readonly #read = new Set<string>();
  #store!: SecretStore;
  #observer!: Observer;
  #refreshing = 0;
  #closing: Promise<void> | undefined;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#units = unitsOf(scene);
    this.#sources = sourcesOf(scene, (what) => this.#invariants.violated('f', what));
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
        await pause(microtasks, turns);
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
      ...(this.#scene.declared ? { secrets: this.#schemas.definitions() } : {}),
    } as { sources: ScriptedSource[] });
    await elapse(50);
    this.#store = await opening;
    this.#observer = new Observer({
      scene: this.#scene,
      store: this.#store,
      sources: this.#sources,
      units: this.#units,
      invariants: this.#invariants,
      read: this.#read,
      closed: () => this.#closing !== undefined,
    });
    for (const event of EVENTS) this.#store.on(event, (payload) => this.#observer.heard(event, payload));
    for (const event of EVENTS) this.#store.on(event, () => this.#reactToEvent(event));
    this.#inspect();
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
        return restore(source);
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
        return this.#schemas.set(operation.answers);
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
        snapshot?.ask(operation.name, operation.how);
        for (const name of snapshot?.revealed.keys() ?? []) this.#read.add(name);
        return this.#observer.sought(operation.name);
      }
      case 'ask store':
        this.#observer.ask(operation.name);
        return this.#observer.sought(operation.name);
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
    // Set before the store emits "close".
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

  #watchProblem(source: ScriptedSource, on: boolean): void {
    const error = new SecretsError('WATCH_UNAVAILABLE', `${source.name} is not watched`, {
      source: source.name,
    });
    this.#invariants.harmless('problem()', () =>
      on ? source.listener?.problem(error) : source.listener?.solved('WATCH_UNAVAILABLE'),
    );
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
        this.#observer.ask('token');
        return this.#observer.sought('token');
    }
  }

  #reactToEvent(event: string): unknown {
    const index = this.#reactions.findIndex((one) => one.event === event);
    const [armed] = index < 0 ? [] : this.#reactions.splice(index, 1);
    return armed === undefined ? undefined : this.#react(armed.reaction, this.#sources[0]!);
  }

  /** Refreshing unchanged sources emits no event, even if they are broken. */
  async #insist(): Promise<void> {
    this.#steady();
    await elapse(SETTLED_MS);
    // The first waits for a name that vanished, the second drops it, the third finds it in the source below.
    for (let count = 0; count < 3; count += 1) await this.#refreshed();
    if (this.#closing !== undefined) return;
    const { length } = this.#observer.events;
    for (let count = 0; count < 2; count += 1) await this.#refreshed();
    const more = this.#observer.events
      .slice(length)
      .map(({ event, payload }) => `${event} ${(payload as Error).message ?? ''}`);
    if (more.length > 0) this.#invariants.violated('h', `unchanged sources cause events: ${more.join('; ')}`);
  }

  /** Once the sources are healthy, the store serves the newest values and has no problems left. */
  async #calm(by: 'refresh' | 'hints'): Promise<void> {
    this.#steady();
    for (const source of this.#sources) {
      source.down = false;
      this.#watchProblem(source, false);
      const ever = new Set(source.history.flatMap((picture) => [...picture.keys()]));
      restore(source, ever);
    }
    await elapse(SETTLED_MS);
    if (this.#refreshing > 0) this.#invariants.violated('e', `${this.#refreshing} refreshes never settle`);
    const reads = this.#sources.map((source) => source.reads);
    // The store finds a name that only a lower source lists there first, and moves it up in the next refresh.
    const twice = by === 'hints' || !this.#sources.every(({ traits }) => traits.lists);
    for (let count = 0; count < (twice ? 2 : 1); count += 1) {
      if (by === 'refresh') await this.#refreshed();
      else for (const source of this.#sources) this.#hint(source, 'poll');
      await elapse(by === 'hints' ? 500 : 0);
    }
    if (this.#closing !== undefined) return;
    for (const [index, { name, reads: now }] of this.#sources.entries()) {
      if (now === reads[index]) this.#invariants.violated('f', `${name} is no longer read`);
    }
    this.#observer.newestServes();
    this.#observer.allIsWell();
  }

  /** Ends running reads and prepared faults. The values stay. */
  #steady(): void {
    for (const source of this.#sources) source.steady();
    this.#reactions.length = 0;
    this.#schemas.set('at once');
  }

  async #refreshed(): Promise<void> {
    void this.#refresh();
    await elapse(100);
  }

  async #afterClose(): Promise<void> {
    const reads = this.#sources.map((source) => source.reads);
    for (const source of this.#sources) this.#hint(source, 'watch');
    await this.#refresh();
    await elapse(SETTLED_MS);
    const closeEvents = this.#observer.events.filter(({ event }) => event === 'close').length;
    if (closeEvents !== 1) this.#invariants.violated('g', `${closeEvents} events of close`);
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

  #inspect(): void {
    for (const held of this.#held) held.reread();
    this.#observer.inspect();
    this.#throwViolations();
  }

  #throwViolations(): void {
    const [first] = this.#invariants.violations;
    if (first !== undefined) throw new Error(first);
  }
}
