import { isSecretsError, type SecretsError } from '../errors';
import { builtin, inspectCustom } from '../internal/builtins';
import { isolate } from '../internal/events';
import { backoffMs, detached, unrefTimer } from '../internal/time';
import type { OfResource } from '../observe/channels';
import type { ChangeEvent } from '../store/types';
import { dispose, Opened } from './disposal';
import { Closing, closedError, notReadyError, Pause, Readiness, UnderWay } from './lifetime';
import { misreadError } from './recipe';
import {
  acceptedByNode,
  listenableOf,
  type ResourceEvent,
  ResourceEvents,
  withResource,
} from './resource-events';
import { build, Leased, retire, verify } from './steps';
import { type ResourceView, type RotationTrace, Trace } from './trace';
import { onlyTokensDiffer, outdated, type TrackedSnapshot, track } from './tracked';
import type { EngineOptions, Lifecycle, Rotating, RotationStore } from './types';

/** Settings that the maker of a rotation adds to the lifecycle. */
export interface RotationSetup<R, V> {
  /** A resource that serves at once, unverified. Default: the engine builds and verifies the first one. */
  readonly initial?: { readonly resource: R; readonly tracked: TrackedSnapshot<V> };
  /** The name of the function that reads the snapshot, for messages. Default: `build function`. */
  readonly builder?: string | undefined;
  /** How telemetry describes the resource. */
  readonly view?: ResourceView | undefined;
  /** The events that the resource has. Default: `ROTATION_EVENTS`. */
  readonly events?: readonly ResourceEvent[] | undefined;
  /** The emitter that several resources share, and the `name` in the events of this one. */
  readonly shared?: { readonly events: ResourceEvents | undefined; readonly label: string } | undefined;
  /** Puts a new resource into service. Runs before any listener hears of the swap. `onlyTokens`: nothing else rotated. */
  swap?(next: R, generation: number, onlyTokens: boolean): void;
}

/** One rotation, from its first attempt until the new resource serves or a newer rotation supersedes it. */
interface Run<V> {
  readonly abort: AbortController;
  readonly trace: RotationTrace;
  /** The causes of failure that were already reported. */
  readonly told: Set<string>;
  tracked: TrackedSnapshot<V> | undefined;
  /** The wait between two attempts. */
  readonly pause: Pause;
}

/** Defaults for every rotation, in milliseconds. */
export const ENGINE_DEFAULTS = {
  buildTimeoutMs: 30_000,
  verifyTimeoutMs: 10_000,
  drainTimeoutMs: 30_000,
  retryBaseMs: 1_000,
  retryMaxMs: 30_000,
  readyTimeoutMs: 30_000,
};

/** The engine: build → verify → swap → drain → dispose, for one resource. */
export class Rotation<R, V> implements Rotating<R> {
  readonly on: Rotating<R>['on'];
  readonly once: Rotating<R>['once'];
  readonly off: Rotating<R>['off'];
  readonly #store: RotationStore<V>;
  readonly #lifecycle: Lifecycle<R, V>;
  readonly #options: EngineOptions;
  readonly #setup: RotationSetup<R, V>;
  readonly #unsubscribe: () => void;
  readonly #events: ResourceEvents;
  /** The `name` in the events of this resource. */
  readonly #label: string;
  readonly #ready = new Readiness<R>();
  readonly #trace: Trace;
  /** Attempts and retirements in progress, which `close` waits for. */
  readonly #underWay = new UnderWay();
  readonly #closing = new Closing();
  #serving: { readonly leased: Leased<R>; readonly tracked: TrackedSnapshot<V> } | undefined;
  #run: Run<V> | undefined;
  #cancelGrace = () => {};
  #lastError: SecretsError | undefined;

  constructor(
    store: RotationStore<V>,
    lifecycle: Lifecycle<R, V>,
    options: EngineOptions,
    setup: RotationSetup<R, V> = {},
  ) {
    this.#store = store;
    this.#lifecycle = lifecycle;
    this.#options = options;
    this.#setup = setup;
    this.#label = setup.shared?.label ?? options.name;
    const { initial, view = { kind: 'resource' }, events, shared } = setup;
    // Subscribe first: a closed store throws here, before telemetry sees this resource.
    this.#unsubscribe = store.on('change', (change) => this.#changed(change));
    this.#trace = new Trace(store, options.name, view, () => this.#serving?.leased.generation);
    this.#events =
      shared?.events ??
      new ResourceEvents(store, options.name, events, (failure) => this.#trace.error(failure));
    ({ on: this.on, once: this.once, off: this.off } = listenableOf(this.#events));
    if (initial === undefined) {
      this.#ready.within(options.readyTimeoutMs, () => this.#lastError ?? notReadyError(options.name));
      this.rotate();
    } else {
      const { resource, tracked } = initial;
      this.#serve(resource, undefined, tracked);
      this.#ready.resolve(resource);
    }
  }

  get ready(): Promise<R> {
    return this.#ready.wait();
  }

  get current(): R {
    return this.#leased().resource;
  }

  get generation(): number {
    return this.#leased().generation;
  }

  async use<T>(work: (resource: R) => T | Promise<T>): Promise<T> {
    return this.#leased().use(work);
  }

  get events(): ResourceEvents {
    return this.#events;
  }

  /** The identity of the resource in telemetry. */
  get identity(): OfResource {
    return this.#trace.identity;
  }

  /** Starts a rotation to the store's current snapshot, and supersedes one in progress. */
  rotate(): void {
    if (this.#closing.started) return;
    this.#supersede();
    const run: Run<V> = {
      abort: new AbortController(),
      trace: this.#trace.begin(),
      told: new Set(),
      tracked: undefined,
      pause: new Pause(),
    };
    this.#run = run;
    this.#underWay.run(() => this.#attempt(run));
  }

  /** Starts the next attempt now instead of after its backoff, because it may succeed now. */
  retryNow(): void {
    this.#run?.pause.end();
  }

  close(): Promise<void> {
    return this.#closing.once(async () => {
      this.#unsubscribe();
      this.#cancelGrace();
      this.#supersede();
      this.#ready.reject(closedError(this.#options.name));
      if (this.#serving !== undefined) this.#retire(this.#serving.leased);
      await this.#underWay.over();
      this.#trace.close();
      if (this.#setup.shared === undefined) this.#events.clear();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspectCustom](): string {
    const state = this.#closing.started ? 'closed' : (this.#serving?.leased.generation ?? 'not ready');
    const shown = typeof state === 'number' ? `generation: ${state}` : state;
    return `Rotating { name: ${builtin('util').inspect(this.#options.name)}, ${shown} }`;
  }

  #supersede(): void {
    this.#run?.abort.abort();
    this.#run?.pause.end();
    this.#run?.trace.end('superseded');
    this.#run = undefined;
  }

  /** Rotates when the grace of a previous value ends: a resource built with `revealWithPrevious` would keep that value. */
  #rotateAfterGrace(tracked: TrackedSnapshot<V>): void {
    this.#cancelGrace();
    if (tracked.graceEndsAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(1, Math.ceil(tracked.graceEndsAt - performance.now()) + 1);
    // A rotation in progress already reads the remaining values.
    this.#cancelGrace = unrefTimer(wait, () => detached(() => this.#run ?? this.rotate()));
  }

  #changed({ changes }: ChangeEvent): void {
    const concerned = [this.#serving?.tracked, this.#run?.tracked].some(
      (tracked) => tracked?.readsAll || changes.some(({ name }) => tracked?.reads.has(name)),
    );
    // Before the first resource serves, any change may let the build succeed.
    if (!concerned && this.#serving !== undefined) return;
    if (!this.#isOutdated()) {
      // The secrets were rolled back to the values that already serve.
      this.#supersede();
      if (this.#serving !== undefined) this.#rotateAfterGrace(this.#serving.tracked);
      return;
    }
    this.rotate();
  }

  /** True if the serving resource was built from values that differ from the current ones. */
  #isOutdated(): boolean {
    if (this.#serving === undefined) return true;
    try {
      return outdated(this.#serving.tracked, this.#store.snapshot());
    } catch (error) {
      // A listener that ran earlier closed the store.
      if (isSecretsError(error, 'STORE_CLOSED')) return false;
      throw error;
    }
  }

  /** Handles a read after the build: a function that the builder passed on may read a secret that has rotated since. */
  #readLate(): void {
    // Not queueMicrotask, which the fake timers of a test replace.
    void Promise.resolve().then(() => {
      if (this.#run === undefined && this.#isOutdated()) detached(() => this.rotate());
    });
  }

  async #attempt(run: Run<V>): Promise<void> {
    const { trace } = run;
    const { signal } = run.abort;
    const { name } = this.#options;
    while (!signal.aborted) {
      trace.attempt();
      const opened = new Opened(name, (error) => this.#error(error));
      const attempt: { built?: { readonly resource: R } } = {};
      try {
        const tracked = track<V>(this.#store);
        run.tracked = tracked;
        const { generation } = tracked.snapshot;
        const resource = await trace.step('build', generation, async () => {
          const late = (unused: R) => this.#discard({ resource: unused }, opened);
          const built = await build(this.#lifecycle, tracked, this.#options, signal, opened, late);
          attempt.built = { resource: built };
          const misread = misreadError(tracked, this.#setup.builder ?? 'build function', name);
          if (misread !== undefined) throw misread;
          return built;
        });
        if (this.#lifecycle.verify !== undefined) {
          await trace.step('verify', generation, () =>
            verify(this.#lifecycle, resource, this.#options, signal),
          );
        }
        // A late or superseded build never serves.
        if (!signal.aborted && !outdated(tracked, this.#store.snapshot())) {
          this.#swap(resource, opened, tracked, run);
          return;
        }
        this.#discard(attempt.built, opened);
      } catch (error) {
        this.#discard(attempt.built, opened);
        if (signal.aborted) return;
        if (isSecretsError(error, 'STORE_CLOSED')) {
          trace.end('superseded');
          return this.#ready.reject(error);
        }
        await this.#rejected(run, error as SecretsError);
      }
    }
  }

  #swap(resource: R, opened: Opened, tracked: TrackedSnapshot<V>, run: Run<V>): void {
    const before = this.#serving;
    const old = before?.leased;
    const { generation } = tracked.snapshot;
    const onlyTokens = before !== undefined && onlyTokensDiffer(before.tracked, tracked);
    this.#run = undefined;
    this.#serve(resource, opened, tracked);
    isolate(
      () => this.#setup.swap?.(resource, generation, onlyTokens),
      (error) => this.#events.listenerFailed('swapped', error),
    );
    this.#ready.resolve(resource);
    run.trace.swapped(generation, old?.generation);
    this.#events.emit('swapped', {
      name: this.#label,
      generation,
      previousGeneration: old?.generation,
      attempts: run.trace.attempts,
      durationMs: run.trace.elapsedMs,
    });
    if (old !== undefined) this.#retire(old);
  }

  #serve(resource: R, opened: Opened | undefined, tracked: TrackedSnapshot<V>): void {
    this.#serving = { leased: new Leased(resource, opened, tracked.snapshot.generation), tracked };
    tracked.onLateRead(() => this.#readLate());
    this.#rotateAfterGrace(tracked);
  }

  #retire(leased: Leased<R>): void {
    const { name, drainTimeoutMs } = this.#options;
    const onError = (error: SecretsError) => this.#error(error);
    this.#trace.draining();
    this.#underWay.run(async () => {
      const drained = await retire(leased, this.#lifecycle, { name, drainTimeoutMs, onError });
      this.#trace.drained(drained);
      this.#trace.disposed(drained.generation);
      this.#events.emit('drained', { name: this.#label, ...drained });
    });
  }

  /** Disposes the result of an attempt, which may be half a resource. */
  #discard(built: { readonly resource: R } | undefined, opened: Opened): void {
    this.#underWay.run(async () => {
      if (built === undefined) return opened.dispose();
      await dispose(built.resource, opened, this.#lifecycle, this.#options.name, (error) =>
        this.#error(error),
      );
      this.#trace.disposed(undefined);
    });
  }

  async #rejected(run: Run<V>, thrown: SecretsError): Promise<void> {
    const { name, retryBaseMs, retryMaxMs } = this.#options;
    const error = withResource(thrown, name);
    this.#lastError = error;
    const retryInMs = Math.round(backoffMs(run.trace.attempts - 1, retryBaseMs, retryMaxMs));
    const generation = run.tracked?.snapshot.generation ?? 0;
    const cause = `${generation} ${error.code} ${error.message}`;
    if (!run.told.has(cause)) {
      run.told.add(cause);
      run.trace.rejected(error, generation, retryInMs);
      const event = { name: this.#label, generation, error, retryInMs };
      this.#events.alarm('rejected', name, error, () => event);
    }
    // A mistake in the code: retries cannot help.
    if (isSecretsError(error, 'RECIPE_READS_NOTHING', 'RECIPE_READS_STORE')) {
      this.#ready.reject(error);
      run.trace.end('superseded');
      run.abort.abort();
    }
    // A listener may have closed this resource or started another rotation.
    if (!run.abort.signal.aborted) await run.pause.wait(retryInMs);
  }

  #leased(): Leased<R> {
    if (this.#closing.started) throw closedError(this.#options.name);
    if (this.#serving === undefined) throw this.#lastError ?? notReadyError(this.#options.name);
    return this.#serving.leased;
  }

  #error(error: SecretsError): void {
    this.#trace.error(error);
    this.#events.error(this.#options.name, error);
  }
}

acceptedByNode(Rotation.prototype);
