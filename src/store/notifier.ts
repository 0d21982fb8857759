import { isSecretsError, type SecretsError } from '../errors';
import { Events, type ListenOptions } from '../internal/events';
import { listenerFailure, warn } from '../internal/warnings';
import { failureOf, type OfStore, publish } from '../observe/channels';
import { expiringWarning } from './expiry';
import type { ChangeEvent, ExpiringEvent, StoreEvents } from './types';

const EVENTS: readonly (keyof StoreEvents)[] = ['change', 'error', 'recovered', 'expiring', 'close'];

type Listener<E extends keyof StoreEvents> = (payload: StoreEvents[E]) => void;

/** Reports the events of a store to listeners and channels. Problems without a listener become process warnings. */
export class Notifier {
  readonly #owner: OfStore;
  readonly #events: Events<StoreEvents>;
  /** Reports buffered until `open` succeeds. If it fails, its rejection carries the error instead. */
  #buffered: { readonly error: SecretsError | undefined; readonly tell: () => void }[] | undefined = [];

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

  /** Sends the buffered reports, after `open` succeeded. */
  opened(): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    for (const { tell } of buffered) tell();
  }

  changed(event: ChangeEvent): void {
    // While the store opens, its first values are not changes.
    if (this.#buffered !== undefined) return;
    publish('hot-secrets:store:change', () => ({ ...this.#owner, ...event }));
    this.#events.emit('change', event);
  }

  error(error: SecretsError): void {
    this.#tell(() => {
      publish('hot-secrets:store:error', () => ({ ...this.#owner, ...failureOf(error) }));
      if (this.#events.has('error')) this.#events.emit('error', error);
      else warn(error);
    }, error);
  }

  /** Reports an error of a resource to the `error` listeners; false if there are none. The resource publishes it itself. */
  resourceError(error: SecretsError): boolean {
    if (!this.#events.has('error')) return false;
    this.#events.emit('error', error);
    return true;
  }

  recovered(error: SecretsError): void {
    // What was wrong only while the store opened is not worth a word.
    const told = this.#buffered?.findIndex((report) => report.error === error) ?? -1;
    if (told >= 0) {
      this.#buffered?.splice(told, 1);
      return;
    }
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

  /** Emits `close`, the last event, and drops all listeners. */
  closing(generation: number): void {
    // A store that never opened reports no close.
    if (this.#buffered === undefined) {
      publish('hot-secrets:store:close', () => ({ ...this.#owner, generation }));
      this.#events.emit('close', { generation });
    }
    this.#events.clear();
  }

  listenerFailed(event: string, error: unknown): void {
    // A framework adapter reports the failures of its hooks itself.
    const failure = isSecretsError(error, 'LISTENER_FAILED') ? error : listenerFailure(event, error);
    // A failing `error` listener would receive its own failure, without end. No event follows `close`.
    if (event === 'error' || event === 'close') warn(failure);
    else this.error(failure);
  }

  #tell(tell: () => void, error?: SecretsError): void {
    if (this.#buffered !== undefined) this.#buffered.push({ error, tell });
    else tell();
  }
}
