import { type SecretsError, withFacts } from '../errors';
import { Events, type Listenable, type ListenOptions } from '../internal/events';
import { listenerFailure, warn } from '../internal/warnings';
import { observedOf } from '../observe/observed';
import type { CredentialEvents, RotationEvents } from './types';

/** All events of a resource. */
export type ResourceEventMap = RotationEvents & CredentialEvents;

export type ResourceEvent = keyof ResourceEventMap;

export const ROTATION_EVENTS = ['swapped', 'rejected', 'drained', 'error'] as const;

export const CREDENTIAL_EVENTS = ['refused', 'accepted'] as const;

/**
 * Emits the events of a resource, or of several that share their listeners. Problems also reach the `error` listeners of
 * the store. If neither has a listener, they become process warnings.
 */
export class ResourceEvents implements Listenable<ResourceEventMap> {
  readonly #store: object;
  readonly #name: string;
  readonly #events: Events<ResourceEventMap>;
  readonly #listenerFailed: (failure: SecretsError) => void;

  /**
   * `name`: the resource, for messages. `known`: the events that it has. `listenerFailed` receives the error of a failed
   * listener before it is reported.
   */
  constructor(
    store: object,
    name: string,
    known: readonly ResourceEvent[] = ROTATION_EVENTS,
    listenerFailed: (failure: SecretsError) => void = () => {},
  ) {
    this.#store = store;
    this.#name = name;
    this.#events = new Events((event, error) => this.listenerFailed(event, error), {
      of: `the rotation of the ${name}`,
      events: known,
    });
    this.#listenerFailed = listenerFailed;
  }

  on<E extends ResourceEvent>(
    event: E,
    listener: (payload: ResourceEventMap[E]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#events.on(event, listener, options);
  }

  once<E extends ResourceEvent>(
    event: E,
    listener: (payload: ResourceEventMap[E]) => void,
    options?: ListenOptions,
  ): () => void {
    return this.#events.once(event, listener, options);
  }

  off<E extends ResourceEvent>(event: E, listener: (payload: ResourceEventMap[E]) => void): void {
    this.#events.off(event, listener);
  }

  emit<E extends 'swapped' | 'drained' | 'accepted'>(event: E, payload: ResourceEventMap[E]): void {
    this.#events.emit(event, payload);
  }

  /** Reports a problem. `payload` makes the event from the error, to which the name of the resource was added. */
  alarm<E extends 'rejected' | 'refused' | 'error'>(
    event: E,
    resource: string,
    error: SecretsError,
    payload: (told: SecretsError) => ResourceEventMap[E],
  ): void {
    const told = withResource(error, resource);
    const heard = this.#events.has(event);
    if (heard) this.#events.emit(event, payload(told));
    const storeHeard = observedOf(this.#store).tellError(told);
    if (!heard && !storeHeard) warn(told);
  }

  error(resource: string, error: SecretsError): void {
    this.alarm('error', resource, error, (told) => told);
  }

  listenerFailed(event: string, error: unknown): void {
    const failure = listenerFailure(event, error);
    // A failing `error` listener would receive its own failure, without end.
    if (event === 'error') {
      warn(failure);
    } else {
      this.#listenerFailed(failure);
      this.error(this.#name, failure);
    }
  }

  clear(): void {
    this.#events.clear();
  }
}

/** The three methods of an emitter, bound, for a public object. */
export function listenableOf(events: Listenable<ResourceEventMap>): Listenable<ResourceEventMap> {
  return acceptedByNode({
    on: (event, listener, options) => events.on(event, listener, options),
    once: (event, listener, options) => events.once(event, listener, options),
    off: (event, listener) => events.off(event, listener),
  });
}

/** Adds `removeListener`, which `events.once` of Node calls. Users have `off`, so it is neither typed nor enumerable. */
export function acceptedByNode<T extends { off(...args: never[]): void }>(emitter: T): T {
  const value = function (this: T, ...args: never[]) {
    this.off(...args);
    return this;
  };
  return Object.defineProperty(emitter, 'removeListener', { value, configurable: true });
}

/** Adds the name of its resource to an error, and keeps the stack. */
export function withResource(error: SecretsError, resource: string): SecretsError {
  if (error.resource === resource) return error;
  const told = withFacts(error, { resource });
  if (error.stack !== undefined) {
    Object.defineProperty(told, 'stack', { value: error.stack, configurable: true, writable: true });
  }
  return told;
}
