import EventEmitter from 'eventemitter3';
import { SecretsError } from '../errors';
import { closestNames, kindOf, type Option, readOptions } from './options';

/** Options of `on` and `once`. */
export interface ListenOptions {
  /** Unsubscribes the listener when it aborts. If it is already aborted, `on` does nothing. */
  readonly signal?: AbortSignal | undefined;
}

/** The public part of an emitter. It is typed by event and works with `events.once` of Node. */
export interface Listenable<Map extends object> {
  /** Subscribes a listener. Returns a function that unsubscribes it. Errors of a listener do not affect others. */
  on<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Subscribes a listener for the next event only. */
  once<E extends keyof Map & string>(
    event: E,
    listener: (payload: Map[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Removes the last subscription of `listener`, made by `on` or `once`. */
  off<E extends keyof Map & string>(event: E, listener: (payload: Map[E]) => void): void;
}

const abortSignal: Option<AbortSignal | undefined> = (given, reject) => {
  if (given === undefined || typeof (given as Partial<AbortSignal> | null)?.aborted === 'boolean') {
    return given as AbortSignal | undefined;
  }
  return reject('an AbortSignal, such as `controller.signal`');
};

interface Subscription {
  readonly listener: unknown;
  readonly stop: () => void;
}

/** A typed emitter that isolates the errors of its listeners. */
export class Events<Map extends object> implements Listenable<Map> {
  readonly #emitter = new EventEmitter();
  readonly #subscriptions = new globalThis.Map<string, Set<Subscription>>();
  readonly #onFailure: (event: keyof Map & string, error: unknown) => void;
  readonly #known: { readonly of: string; readonly events: readonly (keyof Map & string)[] } | undefined;

  /**
   * `onFailure` is called if a listener throws or its promise rejects. `known` lists the valid events; `of` names the emitter
   * in messages.
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
      // Another listener may have unsubscribed this one while the event is being emitted.
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

/** Functions to call when a signal aborts. Adds only one listener to the signal, even for many subscriptions. */
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

/** Runs foreign code. Passes an exception or rejection to `onFailure`. */
export function isolate(run: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const result = run();
    if (isThenable(result)) result.then(undefined, onFailure);
  } catch (error) {
    onFailure(error);
  }
}

/** Returns true for a promise of any library or realm. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
