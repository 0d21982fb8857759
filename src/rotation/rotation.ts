import { isSecretsError, SecretsError } from '../errors';
import { Events } from '../internal/events';
import { backoffMs, unrefTimer } from '../internal/time';
import { listenerFailure, warn } from '../internal/warnings';
import type { ChangeEvent, SecretStore } from '../store/types';
import { build, verify } from './attempt';
import { Readiness } from './readiness';
import { dispose, Leased, retire } from './retirement';
import { outdated, type TrackedSnapshot, track } from './tracked';
import type { Lifecycle, Rotating, RotatingOptions, RotationEvents } from './types';

/** What the engine needs of a store. */
export type RotationStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on'>;

/** One renewal: from the first attempt until it served or a newer generation took its place. */
interface Renewal<V> {
  readonly abort: AbortController;
  readonly startedAt: number;
  /** The causes of failure that were told. */
  readonly said: Set<string>;
  attempts: number;
  tracked: TrackedSnapshot<V> | undefined;
  /** Ends the wait before the next attempt. */
  wake: () => void;
}

/** The engine: build → verify → swap → drain → dispose, for one resource. */
export class Rotation<R, V> implements Rotating<R> {
  readonly #store: RotationStore<V>;
  readonly #lifecycle: Lifecycle<R, V>;
  readonly #options: Required<RotatingOptions>;
  readonly #events = new Events<RotationEvents>((event, error) => this.#listenerFailed(event, error));
  readonly #unsubscribe: () => void;
  readonly #ready = new Readiness<R>();
  /** What `close` waits for: attempts, old resources on their way out. */
  readonly #underWay = new Set<Promise<void>>();
  #serving: { readonly leased: Leased<R>; readonly tracked: TrackedSnapshot<V> } | undefined;
  #renewal: Renewal<V> | undefined;
  #cancelGrace = () => {};
  #lastError: SecretsError | undefined;
  #closing: Promise<void> | undefined;

  /** `initial`: a resource that serves at once, unverified; without it the first one is built and verified. */
  constructor(
    store: RotationStore<V>,
    lifecycle: Lifecycle<R, V>,
    options: Required<RotatingOptions>,
    initial?: { readonly resource: R; readonly tracked: TrackedSnapshot<V> },
  ) {
    this.#store = store;
    this.#lifecycle = lifecycle;
    this.#options = options;
    this.#unsubscribe = store.on('change', (change) => this.#changed(change));
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

  /** Starts a renewal from the store's snapshot of now; one that is under way is superseded. */
  renew(): void {
    if (this.#closing !== undefined) return;
    this.#supersede();
    const renewal: Renewal<V> = {
      abort: new AbortController(),
      startedAt: performance.now(),
      said: new Set(),
      attempts: 0,
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
    this.#events.clear();
  }

  #supersede(): void {
    this.#renewal?.abort.abort();
    this.#renewal?.wake();
    this.#renewal = undefined;
  }

  /** A previous value that was read with `revealAll` is in the resource until the next build, also after its grace. */
  #renewAfterGrace(tracked: TrackedSnapshot<V>): void {
    this.#cancelGrace();
    if (tracked.graceEndsAt === Number.POSITIVE_INFINITY) return;
    // One that is under way will have read what is left.
    const renew = () => this.#renewal === undefined && this.renew();
    this.#cancelGrace = unrefTimer(Math.max(1, tracked.graceEndsAt - Date.now() + 1), renew);
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
    const { signal } = renewal.abort;
    while (!signal.aborted) {
      renewal.attempts += 1;
      let resource: R | undefined;
      try {
        const tracked = track<V>(this.#store.snapshot());
        renewal.tracked = tracked;
        const late = (built: R) => this.#discard(built);
        resource = await build(this.#lifecycle, tracked.snapshot, this.#options, signal, late);
        await verify(this.#lifecycle, resource, this.#options, signal);
        // A late or superseded build never serves.
        if (!signal.aborted && !outdated(tracked, this.#store.snapshot())) {
          this.#swap(resource, tracked, renewal);
          return;
        }
        this.#discard(resource);
      } catch (error) {
        if (resource !== undefined) this.#discard(resource);
        if (signal.aborted) return;
        if (isSecretsError(error, 'STORE_CLOSED')) return this.#ready.reject(error);
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
    this.#events.emit('rotated', {
      name: this.#options.name,
      generation,
      previousGeneration: old?.generation,
      attempts: renewal.attempts,
      tookMs: performance.now() - renewal.startedAt,
    });
    if (old !== undefined) this.#retire(old);
  }

  #retire(leased: Leased<R>): void {
    const { name, drainTimeoutMs } = this.#options;
    const onError = (error: SecretsError) => this.#say(error);
    const retired = retire(leased, this.#lifecycle, { name, drainTimeoutMs, onError });
    this.#await(retired.then((event) => this.#events.emit('drained', event)));
  }

  #discard(resource: R): void {
    this.#await(dispose(resource, this.#lifecycle, this.#options.name, (error) => this.#say(error)));
  }

  async #rejected(renewal: Renewal<V>, error: SecretsError): Promise<void> {
    this.#lastError = error;
    const { name, retryBaseMs, retryMaxMs } = this.#options;
    const retryInMs = Math.round(backoffMs(renewal.attempts - 1, retryBaseMs, retryMaxMs));
    const generation = renewal.tracked?.snapshot.generation ?? 0;
    const cause = `${generation} ${error.code} ${error.message}`;
    if (!renewal.said.has(cause)) {
      renewal.said.add(cause);
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
    if (this.#events.has('error')) this.#events.emit('error', error);
    else warn(error);
  }

  #listenerFailed(event: string, error: unknown): void {
    const failure = listenerFailure(event, error);
    if (event === 'error') warn(failure);
    else this.#say(failure);
  }
}
