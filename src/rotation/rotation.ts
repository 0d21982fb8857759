import { isSecretsError, SecretsError } from '../errors';
import { Events } from '../internal/events';
import { backoffMs, detached, unrefTimer } from '../internal/time';
import { listenerFailure, warn } from '../internal/warnings';
import type { OfResource } from '../observe/channels';
import type { ChangeEvent, SecretStore } from '../store/types';
import { build, verify } from './attempt';
import { Readiness } from './readiness';
import { dispose, Leased, retire } from './retirement';
import { type RenewalTrace, type ResourceFace, Trace } from './trace';
import { outdated, type TrackedSnapshot, track } from './tracked';
import type { Lifecycle, Rotating, RotatingOptions, RotationEvents } from './types';

/** What the engine needs of a store. */
export type RotationStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on'>;

/** One renewal: from the first attempt until it served or a newer generation took its place. */
interface Renewal<V> {
  readonly abort: AbortController;
  readonly trace: RenewalTrace;
  /** The causes of failure that were told. */
  readonly said: Set<string>;
  tracked: TrackedSnapshot<V> | undefined;
  /** Ends the wait before the next attempt. */
  wake: () => void;
}

/** What a rotation begins with. */
export interface RotationStart<R, V> {
  /** A resource that serves at once, unverified; without it the first one is built and verified. */
  readonly initial?: { readonly resource: R; readonly tracked: TrackedSnapshot<V> };
  readonly face?: ResourceFace;
}

/** The engine: build → verify → swap → drain → dispose, for one resource. */
export class Rotation<R, V> implements Rotating<R> {
  readonly #store: RotationStore<V>;
  readonly #lifecycle: Lifecycle<R, V>;
  readonly #options: Required<RotatingOptions>;
  readonly #events = new Events<RotationEvents>((event, error) => this.#listenerFailed(event, error));
  readonly #unsubscribe: () => void;
  readonly #ready = new Readiness<R>();
  readonly #trace: Trace;
  /** What `close` waits for: attempts, old resources on their way out. */
  readonly #underWay = new Set<Promise<void>>();
  #serving: { readonly leased: Leased<R>; readonly tracked: TrackedSnapshot<V> } | undefined;
  #renewal: Renewal<V> | undefined;
  #cancelGrace = () => {};
  #lastError: SecretsError | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    store: RotationStore<V>,
    lifecycle: Lifecycle<R, V>,
    options: Required<RotatingOptions>,
    { initial, face = { kind: 'resource' } }: RotationStart<R, V> = {},
  ) {
    this.#store = store;
    this.#lifecycle = lifecycle;
    this.#options = options;
    // First: it throws where the store is closed, and then nothing is to be seen of this resource.
    this.#unsubscribe = store.on('change', (change) => this.#changed(change));
    this.#trace = new Trace(store, options.name, face, () => this.#serving?.leased.generation);
    if (initial === undefined) {
      this.#ready.within(options.readyTimeoutMs, () => this.#lastError ?? this.#notReady());
      this.renew();
    } else {
      const { resource, tracked } = initial;
      this.#serving = { leased: new Leased(resource, tracked.snapshot.generation), tracked };
      this.#renewAfterGrace(tracked);
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

  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void {
    return this.#events.on(event, listener);
  }

  /** What telemetry calls it. */
  get identity(): OfResource {
    return this.#trace.identity;
  }

  /** Starts a renewal from the store's snapshot of now; one that is under way is superseded. */
  renew(): void {
    if (this.#closing !== undefined) return;
    this.#supersede();
    const renewal: Renewal<V> = {
      abort: new AbortController(),
      trace: this.#trace.begin(),
      said: new Set(),
      tracked: undefined,
      wake: () => {},
    };
    this.#renewal = renewal;
    this.#await(this.#run(renewal));
  }

  /** Ends the wait of a renewal that failed before: something happened that may let it succeed now. */
  retryNow(): void {
    this.#renewal?.wake();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#unsubscribe();
    this.#cancelGrace();
    this.#supersede();
    this.#ready.reject(this.#closed());
    if (this.#serving !== undefined) this.#retire(this.#serving.leased);
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    this.#trace.close();
    this.#events.clear();
  }

  #supersede(): void {
    this.#renewal?.abort.abort();
    this.#renewal?.wake();
    this.#renewal?.trace.end('superseded');
    this.#renewal = undefined;
  }

  /** A previous value that was read with `revealWithPrevious` is in the resource until the next build, also after its grace. */
  #renewAfterGrace(tracked: TrackedSnapshot<V>): void {
    this.#cancelGrace();
    if (tracked.graceEndsAt === Number.POSITIVE_INFINITY) return;
    // One that is under way will have read what is left.
    const renew = () => this.#renewal === undefined && this.renew();
    const wait = Math.max(1, tracked.graceEndsAt - Date.now() + 1);
    this.#cancelGrace = unrefTimer(wait, () => detached(renew));
  }

  #await(work: Promise<void>): void {
    const done = work.then(() => void this.#underWay.delete(done));
    this.#underWay.add(done);
  }

  #changed({ changes }: ChangeEvent): void {
    const concerned = [this.#serving?.tracked, this.#renewal?.tracked].some(
      (tracked) => tracked?.readsAll || changes.some(({ name }) => tracked?.reads.has(name)),
    );
    // Before the first resource there is nothing that could be unconcerned.
    if (!concerned && this.#serving !== undefined) return;
    if (this.#serving !== undefined && !outdated(this.#serving.tracked, this.#store.snapshot())) {
      // Rolled back to what serves already.
      this.#supersede();
      return;
    }
    this.renew();
  }

  async #run(renewal: Renewal<V>): Promise<void> {
    const { trace } = renewal;
    const { signal } = renewal.abort;
    while (!signal.aborted) {
      trace.attempt();
      let resource: R | undefined;
      try {
        const tracked = track<V>(this.#store.snapshot());
        renewal.tracked = tracked;
        const late = (built: R) => this.#discard(built);
        const { generation } = tracked.snapshot;
        const built = await trace.step('build', generation, () =>
          build(this.#lifecycle, tracked.snapshot, this.#options, signal, late),
        );
        resource = built;
        if (this.#lifecycle.verify !== undefined) {
          await trace.step('verify', generation, () => verify(this.#lifecycle, built, this.#options, signal));
        }
        // A late or superseded build never serves.
        if (!signal.aborted && !outdated(tracked, this.#store.snapshot())) {
          this.#swap(resource, tracked, renewal);
          return;
        }
        this.#discard(resource);
      } catch (error) {
        if (resource !== undefined) this.#discard(resource);
        if (signal.aborted) return;
        if (isSecretsError(error, 'STORE_CLOSED')) {
          trace.end('superseded');
          return this.#ready.reject(error);
        }
        await this.#rejected(renewal, error as SecretsError);
      }
    }
  }

  #swap(resource: R, tracked: TrackedSnapshot<V>, renewal: Renewal<V>): void {
    const old = this.#serving?.leased;
    const { generation } = tracked.snapshot;
    this.#serving = { leased: new Leased(resource, generation), tracked };
    this.#renewal = undefined;
    this.#renewAfterGrace(tracked);
    this.#ready.resolve(resource);
    renewal.trace.swapped(generation, old?.generation);
    this.#events.emit('swapped', {
      name: this.#options.name,
      generation,
      previousGeneration: old?.generation,
      attempts: renewal.trace.attempts,
      durationMs: renewal.trace.elapsedMs,
    });
    if (old !== undefined) this.#retire(old);
  }

  #retire(leased: Leased<R>): void {
    const { name, drainTimeoutMs } = this.#options;
    const onError = (error: SecretsError) => this.#say(error);
    const retired = retire(leased, this.#lifecycle, { name, drainTimeoutMs, onError });
    this.#trace.draining();
    this.#await(
      retired.then((event) => {
        this.#trace.drained(event);
        this.#trace.disposed(event.generation);
        this.#events.emit('drained', event);
      }),
    );
  }

  #discard(resource: R): void {
    const disposed = dispose(resource, this.#lifecycle, this.#options.name, (error) => this.#say(error));
    this.#await(disposed.then(() => this.#trace.disposed(undefined)));
  }

  async #rejected(renewal: Renewal<V>, error: SecretsError): Promise<void> {
    this.#lastError = error;
    const { name, retryBaseMs, retryMaxMs } = this.#options;
    const retryInMs = Math.round(backoffMs(renewal.trace.attempts - 1, retryBaseMs, retryMaxMs));
    const generation = renewal.tracked?.snapshot.generation ?? 0;
    const cause = `${generation} ${error.code} ${error.message}`;
    if (!renewal.said.has(cause)) {
      renewal.said.add(cause);
      renewal.trace.rejected(error, generation, retryInMs);
      this.#events.emit('rejected', { name, generation, error, retryInMs });
      if (!this.#events.has('rejected')) warn(error);
    }
    await new Promise<void>((resolve) => {
      const cancel = unrefTimer(retryInMs, resolve);
      renewal.wake = () => {
        cancel();
        resolve();
      };
      // A listener may have closed or renewed meanwhile.
      if (renewal.abort.signal.aborted) renewal.wake();
    });
  }

  #leased(): Leased<R> {
    if (this.#closing !== undefined) throw this.#closed();
    if (this.#serving === undefined) throw this.#lastError ?? this.#notReady();
    return this.#serving.leased;
  }

  #notReady(): SecretsError {
    return new SecretsError('ROTATION_NOT_READY', `the ${this.#options.name} is not ready yet`, {
      next: 'Await its ready promise first.',
    });
  }

  #closed(): SecretsError {
    return new SecretsError('ROTATION_CLOSED', `the ${this.#options.name} is closed`);
  }

  #say(error: SecretsError): void {
    this.#trace.error(error);
    if (this.#events.has('error')) this.#events.emit('error', error);
    else warn(error);
  }

  #listenerFailed(event: string, error: unknown): void {
    const failure = listenerFailure(event, error);
    if (event === 'error') warn(failure);
    else this.#say(failure);
  }
}
