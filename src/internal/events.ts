import EventEmitter from 'eventemitter3';
import { SecretsError } from '../errors';
import { closestNames, kindOf, type Option, readOptions } from './options';

/** Ends a subscription without the function that `on` returned. */
export interface ListenOptions {
  /** The listener leaves when it aborts; one that is aborted already adds nothing. */
  readonly signal?: AbortSignal | undefined;
}

/** The part of an emitter that users see: typed by event, and accepted by `events.once` of Node. */
export interface Listenable<Map extends object> {
  /** Subscribes, and returns a function that unsubscribes. Listeners cannot break the emitter or each other. */
  on<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Subscribes for the next event alone. */
  once<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Unsubscribes one subscription of `listener`, whichever of `on` and `once` made it. */
  off<E extends keyof Map & string>(event: E, listener: (payload: Map[E]) => void): void;
}

const abortSignal: Option<AbortSignal | undefined> = (given, reject) => {
  if (given === undefined || typeof (given as Partial<AbortSignal> | null)?.aborted === 'boolean') {
    return given as AbortSignal | undefined;
  }
  return reject('an AbortSignal: `controller.signal`, for example');
};

interface Subscription {
  readonly listener: unknown;
  readonly stop: () => void;
}

/** A typed emitter whose listeners cannot break it or each other. */
export class Events<Map extends object> implements Listenable<Map> {
  readonly #emitter = new EventEmitter();
  readonly #subscriptions = new globalThis.Map<string, Set<Subscription>>();
  readonly #onFailure: (event: keyof Map & string, error: unknown) => void;
  readonly #known: { readonly of: string; readonly events: readonly (keyof Map & string)[] } | undefined;

  /**
   * `onFailure` is called for a listener that threw, or whose promise rejected. With `known`, other events are refused: `of`
   * says whose they are.
   */
  constructor(
    onFailure: (event: keyof Map & string, error: unknown) => void,
    known?: { readonly of: string; readonly events: readonly (keyof Map & string)[] },
  ) {
    this.#onFailure = onFailure;
    this.#known = known;
  }

  /** @throws `OPTION_INVALID` for an unknown event, and for a listener that is not a function. */
  on<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#add('on', event, listener, options);
  }

  /** @throws `OPTION_INVALID` for an unknown event, and for a listener that is not a function. */
  once<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#add('once', event, listener, options);
  }

  off<E extends keyof Map & string>(event: E, listener: (payload: Map[E]) => void): void {
    const all = [...(this.#subscriptions.get(event) ?? [])];
    all.findLast((one) => one.listener === listener)?.stop();
  }

  emit<E extends keyof Map & string>(event: E, payload: Map[E]): void {
    this.#emitter.emit(event, payload);
  }

  has(event: keyof Map & string): boolean {
    return this.#emitter.listenerCount(event) > 0;
  }

  clear(): void {
    for (const subscriptions of this.#subscriptions.values())
      for (const { stop } of [...subscriptions]) stop();
  }

  #add<E extends keyof Map & string>(
    method: 'on' | 'once',
    event: E,
    listener: (payload: Map[E]) => void,
    options: ListenOptions = {},
  ): () => void {
    this.#assertKnown(event);
    const { signal } = readOptions(`${method}('${event}')`, options, { signal: abortSignal });
    if (typeof listener !== 'function') {
      throw new SecretsError(
        'OPTION_INVALID',
        `the listener of "${event}" must be a function, not ${kindOf(listener)}`,
        {
          next: `Call ${method}('${event}', (event) => …).`,
        },
      );
    }
    if (signal?.aborted) return () => {};
    const subscriptions = this.#subscriptions.get(event) ?? new Set();
    this.#subscriptions.set(event, subscriptions);
    const isolated = (payload: Map[E]) => {
      // Stopped while this event is told: by another listener, or by an event within the event.
      if (!subscriptions.has(subscription)) return;
      if (method === 'once') subscription.stop();
      isolate(
        () => listener(payload),
        (error) => this.#onFailure(event, error),
      );
    };
    const subscription: Subscription = {
      listener,
      stop: () => {
        if (!subscriptions.delete(subscription)) return;
        if (signal !== undefined) stopsOf(signal).delete(subscription.stop);
        this.#emitter.off(event, isolated);
      },
    };
    subscriptions.add(subscription);
    if (signal !== undefined) stopsOf(signal).add(subscription.stop);
    this.#emitter.on(event, isolated);
    return subscription.stop;
  }

  #assertKnown(event: keyof Map & string): void {
    if (this.#known === undefined || this.#known.events.includes(event)) return;
    const { of, events } = this.#known;
    const [closest] = closestNames(String(event), events);
    throw new SecretsError('OPTION_INVALID', `${of} has no event "${String(event)}"`, {
      next: closest === undefined ? `The events are: ${events.join(', ')}.` : `Did you mean "${closest}"?`,
    });
  }
}

const stopsBySignal = new WeakMap<AbortSignal, Set<() => void>>();

/** What to call when a signal aborts. One listener for each signal, however many subscriptions share it. */
function stopsOf(signal: AbortSignal): Set<() => void> {
  const known = stopsBySignal.get(signal);
  if (known !== undefined) return known;
  const stops = new Set<() => void>();
  stopsBySignal.set(signal, stops);
  const abort = () => {
    for (const stop of [...stops]) stop();
  };
  signal.addEventListener('abort', abort, { once: true });
  return stops;
}

/** Runs foreign code: neither a throw nor a rejection escapes. */
export function isolate(run: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const result = run();
    if (isThenable(result)) result.then(undefined, onFailure);
  } catch (error) {
    onFailure(error);
  }
}

/** A promise of any library or realm. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
