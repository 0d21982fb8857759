import { isSecretsError, SecretsError, type SecretsErrorCode } from '../errors';
import { describeError } from '../internal/describe-error';
import { Events } from '../internal/events';
import { backoffMs, bounded, unrefTimer } from '../internal/time';
import type { ChangeEvent, SecretStore, Snapshot } from '../store/types';
import { dispose, Leased, retire } from './retirement';
import { type TrackedSnapshot, track } from './tracked';
import type { Lifecycle, Rotating, RotatingOptions, RotationEvents } from './types';

/** What the engine needs of a store. */
export type RotationStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on'>;

/** One renewal: from the first attempt until it served or a newer generation took its place. */
interface Renewal<V> {
  readonly abort: AbortController;
  readonly startedAt: number;
  attempts: number;
  tracked: TrackedSnapshot<V> | undefined;
  said: string;
  /** Ends the wait before the next attempt. */
  wake: () => void;
}

/** The engine: build → verify → swap → drain → dispose, for one resource. */
export class Rotation<R, V> implements Rotating<R> {
  readonly ready: Promise<R>;
  readonly #store: RotationStore<V>;
  readonly #lifecycle: Lifecycle<R, V>;
  readonly #options: Required<RotatingOptions>;
  readonly #events = new Events<RotationEvents>((event, error) => this.#listenerFailed(event, error));
  readonly #unsubscribe: () => void;
  readonly #retiring = new Set<Promise<void>>();
  #serving: { readonly leased: Leased<R>; readonly tracked: TrackedSnapshot<V> } | undefined;
  #renewal: Renewal<V> | undefined;
  #settleReady: { resolve(resource: R): void; reject(error: SecretsError): void } | undefined;
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
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Who does not wait for it hears of failures through events.
    this.ready.catch(() => {});
    this.#unsubscribe = store.on('change', (change) => this.#changed(change));
    if (initial === undefined) {
      const late = () => this.#settleReady?.reject(this.#lastError ?? this.#notReady());
      const cancel = unrefTimer(options.readyTimeoutMs, late);
      this.ready.then(cancel, cancel);
      this.renew();
    } else {
      const { resource, tracked } = initial;
      this.#serving = { leased: new Leased(resource, tracked.snapshot.generation), tracked };
      this.#settleReady?.resolve(resource);
    }
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
    this.#renewal?.abort.abort();
    const renewal: Renewal<V> = {
      abort: new AbortController(),
      startedAt: performance.now(),
      attempts: 0,
      tracked: undefined,
      said: '',
      wake: () => {},
    };
    this.#renewal = renewal;
    void this.#run(renewal);
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
    this.#renewal?.abort.abort();
    this.#settleReady?.reject(this.#closed());
    if (this.#serving !== undefined) this.#retire(this.#serving.leased);
    while (this.#retiring.size > 0) await Promise.all(this.#retiring);
    this.#events.clear();
  }

  #changed({ changes }: ChangeEvent): void {
    const concerned = [this.#serving?.tracked, this.#renewal?.tracked].some(
      (tracked) => tracked?.readsAll || changes.some(({ name }) => tracked?.reads.has(name)),
    );
    // Before the first resource there is nothing that could be unconcerned.
    if (!concerned && this.#serving !== undefined) return;
    if (this.#serving !== undefined && !outdated(this.#serving.tracked, this.#store.snapshot())) {
      // Rolled back to what serves already.
      this.#renewal?.abort.abort();
      this.#renewal = undefined;
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
        resource = await this.#build(tracked.snapshot, signal);
        await this.#verify(resource, signal);
        // A late or superseded build never serves.
        if (!signal.aborted && !outdated(tracked, this.#store.snapshot())) {
          this.#swap(resource, tracked, renewal);
          return;
        }
        this.#discard(resource);
      } catch (error) {
        if (resource !== undefined) this.#discard(resource);
        if (signal.aborted) return;
        if (isSecretsError(error, 'STORE_CLOSED')) return;
        await this.#rejected(renewal, error as SecretsError);
      }
    }
  }

  async #build(snapshot: Snapshot<V>, signal: AbortSignal): Promise<R> {
    const { name, buildTimeoutMs } = this.#options;
    const bound = withTimeout(signal, buildTimeoutMs);
    const building = (async () => this.#lifecycle.build(snapshot, bound.signal))();
    let late = false;
    try {
      return await bounded(building, buildTimeoutMs, () => {
        late = true;
        return new SecretsError(
          'BUILD_FAILED',
          `building the new ${name} took longer than ${buildTimeoutMs} ms`,
        );
      });
    } catch (error) {
      if (late)
        building.then(
          (resource) => this.#discard(resource),
          () => {},
        );
      throw known(error, 'BUILD_FAILED', `building the new ${name} failed`);
    } finally {
      bound.done();
    }
  }

  async #verify(resource: R, signal: AbortSignal): Promise<void> {
    const { name, verifyTimeoutMs } = this.#options;
    if (this.#lifecycle.verify === undefined || signal.aborted) return;
    const bound = withTimeout(signal, verifyTimeoutMs);
    const verifying = (async () => this.#lifecycle.verify?.(resource, bound.signal))();
    try {
      await bounded(verifying, verifyTimeoutMs, () => {
        const what = `the new ${name} did not prove itself within ${verifyTimeoutMs} ms`;
        return new SecretsError('VERIFY_TIMEOUT', what, { next: 'The old one keeps serving.' });
      });
    } catch (error) {
      throw known(error, 'VERIFY_FAILED', `the new ${name} did not work`);
    } finally {
      bound.done();
    }
  }

  #swap(resource: R, tracked: TrackedSnapshot<V>, renewal: Renewal<V>): void {
    const old = this.#serving?.leased;
    const { generation } = tracked.snapshot;
    this.#serving = { leased: new Leased(resource, generation), tracked };
    this.#renewal = undefined;
    this.#settleReady?.resolve(resource);
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
    const retiring = retire(leased, this.#lifecycle, { name, drainTimeoutMs, onError }).then((event) => {
      this.#retiring.delete(retiring);
      this.#events.emit('drained', event);
    });
    this.#retiring.add(retiring);
  }

  #discard(resource: R): void {
    const discarding = dispose(resource, this.#lifecycle, this.#options.name, (error) =>
      this.#say(error),
    ).then(() => {
      this.#retiring.delete(discarding);
    });
    this.#retiring.add(discarding);
  }

  async #rejected(renewal: Renewal<V>, error: SecretsError): Promise<void> {
    this.#lastError = error;
    const { name, retryBaseMs, retryMaxMs } = this.#options;
    const retryInMs = Math.round(backoffMs(renewal.attempts - 1, retryBaseMs, retryMaxMs));
    const generation = renewal.tracked?.snapshot.generation ?? 0;
    const cause = `${generation} ${error.code} ${error.message}`;
    if (cause !== renewal.said) {
      renewal.said = cause;
      this.#events.emit('rejected', { name, generation, error, retryInMs });
      if (!this.#events.has('rejected')) warn(error);
    }
    await new Promise<void>((resolve) => {
      const cancel = unrefTimer(retryInMs, resolve);
      renewal.wake = () => {
        cancel();
        resolve();
      };
      renewal.abort.signal.addEventListener('abort', renewal.wake, { once: true });
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
    const what = `a listener of "${event}" failed with ${describeError(error)}`;
    const failure = new SecretsError('LISTENER_FAILED', what, {
      next: 'The other listeners ran; mend this one.',
    });
    if (event === 'error') warn(failure);
    else this.#say(failure);
  }
}

/** True when a name that was read has another value in `now`. */
function outdated<V>(tracked: TrackedSnapshot<V>, now: Snapshot<V>): boolean {
  if (tracked.readsAll) return tracked.snapshot.generation !== now.generation;
  const version = (snapshot: Snapshot<V>, name: string) =>
    snapshot.has(name) ? (snapshot.get(name as keyof V & string) as { version: string }).version : undefined;
  return [...tracked.reads].some((name) => version(tracked.snapshot, name) !== version(now, name));
}

function withTimeout(signal: AbortSignal, ms: number): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const cancel = unrefTimer(ms, abort);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    done() {
      cancel();
      signal.removeEventListener('abort', abort);
    },
  };
}

function known(error: unknown, code: SecretsErrorCode, what: string): SecretsError {
  if (isSecretsError(error)) return error;
  return new SecretsError(code, `${what}: ${describeError(error)}`, {
    next: 'It is tried again; the old one serves.',
  });
}

function warn(error: SecretsError): void {
  process.emitWarning(error.message, { type: 'HotSecretsWarning', code: error.code });
}
