import { isSecretsError, SecretsError } from '../errors';
import { Events } from '../internal/events';
import { listenerFailure, warn } from '../internal/warnings';
import { failureOf, type OfStore, publish } from '../observe/channels';
import { expiringWarning } from './reviews';
import type { ChangeEvent, ExpiringEvent, StoreEvents } from './types';

const EVENTS: readonly (keyof StoreEvents)[] = ['change', 'error', 'recovered', 'expiring', 'close'];

/** How a store speaks: events to those who listen, warnings where nobody does, and channels in any case. */
export class Voice {
  readonly #owner: OfStore;
  readonly #events: Events<StoreEvents>;
  /** What there is to say while an open is under way: of one that fails, its rejection tells what matters. */
  #opening: (() => void)[] | undefined = [];

  constructor(owner: OfStore) {
    this.#owner = owner;
    this.#events = new Events((event, error) => this.listenerFailed(event, error));
  }

  on<E extends keyof StoreEvents>(event: E, listener: (payload: StoreEvents[E]) => void): () => void {
    if (EVENTS.includes(event)) return this.#events.on(event, listener);
    throw new SecretsError('OPTION_INVALID', `a store has no event "${String(event)}"`, {
      next: `The events are: ${EVENTS.join(', ')}.`,
    });
  }

  /** The open succeeded: what there was to say is said now. */
  opened(): void {
    const said = this.#opening ?? [];
    this.#opening = undefined;
    for (const say of said) say();
  }

  changed(event: ChangeEvent): void {
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

  closing(generation: number): void {
    // Of a store that never opened, nobody heard anything.
    if (this.#opening !== undefined) return;
    publish('hot-secrets:store:close', () => ({ ...this.#owner, generation }));
    this.#events.emit('close', { generation });
  }

  silence(): void {
    this.#events.clear();
  }

  listenerFailed(event: string, error: unknown): void {
    // A hook that a layer above watches over says itself what is wrong.
    const failure = isSecretsError(error, 'LISTENER_FAILED') ? error : listenerFailure(event, error);
    // A failing error listener would be told of its own failure for ever.
    if (event === 'error') warn(failure);
    else this.error(failure);
  }

  #tell(say: () => void): void {
    if (this.#opening !== undefined) this.#opening.push(say);
    else say();
  }
}
