import { isSecretsError, type SecretsError } from '../errors';
import { Events, type ListenOptions } from '../internal/events';
import { listenerFailure, warn } from '../internal/warnings';
import { failureOf, type OfStore, publish } from '../observe/channels';
import { expiringWarning } from './expiry';
import type { ChangeEvent, ExpiringEvent, StoreEvents } from './types';

const EVENTS: readonly (keyof StoreEvents)[] = ['change', 'error', 'recovered', 'expiring', 'close'];

type Listener<E extends keyof StoreEvents> = (payload: StoreEvents[E]) => void;

/** Reports what happens to a store: as events, as warnings without a listener, and always on the channels. */
export class Notifier {
  readonly #owner: OfStore;
  readonly #events: Events<StoreEvents>;
  /** Buffered until `open` succeeds: when it fails, its rejection says what matters. */
  #buffered: (() => void)[] | undefined = [];

  constructor(owner: OfStore) {
    this.#owner = owner;
    this.#events = new Events((event, error) => this.listenerFailed(event, error), {
      of: 'a store',
      events: EVENTS,
    });
  }

  on<E extends keyof StoreEvents>(event: E, listener: Listener<E>, options?: ListenOptions): () => void {
    return this.#events.on(event, listener, options);
  }

  once<E extends keyof StoreEvents>(event: E, listener: Listener<E>, options?: ListenOptions): () => void {
    return this.#events.once(event, listener, options);
  }

  off<E extends keyof StoreEvents>(event: E, listener: Listener<E>): void {
    this.#events.off(event, listener);
  }

  /** The open succeeded: reports what was buffered. */
  opened(): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    for (const tell of buffered) tell();
  }

  changed(event: ChangeEvent): void {
    // Listeners hear of changes to what the store opened with, and it is still opening.
    if (this.#buffered !== undefined) return;
    publish('hot-secrets:store:change', () => ({ ...this.#owner, ...event }));
    this.#events.emit('change', event);
  }

  error(error: SecretsError): void {
    this.#tell(() => {
      publish('hot-secrets:store:error', () => ({ ...this.#owner, ...failureOf(error) }));
      if (this.#events.has('error')) this.#events.emit('error', error);
      else warn(error);
    });
  }

  /** Reports an error of a resource to the `error` listeners; false without any. Its own channels have it already. */
  resourceError(error: SecretsError): boolean {
    if (!this.#events.has('error')) return false;
    this.#events.emit('error', error);
    return true;
  }

  recovered(error: SecretsError): void {
    this.#tell(() => {
      publish('hot-secrets:store:recovered', () => ({ ...this.#owner, ...failureOf(error) }));
      this.#events.emit('recovered', error);
    });
  }

  expiring(event: ExpiringEvent): void {
    this.#tell(() => {
      publish('hot-secrets:store:expiring', () => ({ ...this.#owner, ...event }));
      if (this.#events.has('expiring')) this.#events.emit('expiring', event);
      else warn(expiringWarning(event));
    });
  }

  /** Tells of the close, and nothing after it. */
  closing(generation: number): void {
    // A store that never opened reports no close.
    if (this.#buffered === undefined) {
      publish('hot-secrets:store:close', () => ({ ...this.#owner, generation }));
      this.#events.emit('close', { generation });
    }
    this.#events.clear();
  }

  listenerFailed(event: string, error: unknown): void {
    // A hook that a framework adapter runs reports its failure itself.
    const failure = isSecretsError(error, 'LISTENER_FAILED') ? error : listenerFailure(event, error);
    // An error listener that fails would receive its own failure forever; and `close` is the last event.
    if (event === 'error' || event === 'close') warn(failure);
    else this.error(failure);
  }

  #tell(tell: () => void): void {
    if (this.#buffered !== undefined) this.#buffered.push(tell);
    else tell();
  }
}
