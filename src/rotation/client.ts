import type { InspectOptions } from 'node:util';
import { isSecretsError, SecretsError } from '../errors';
import { builtin, inspectCustom } from '../internal/builtins';
import type { Listenable } from '../internal/events';
import { ms, type Option, readOptions, text } from '../internal/options';
import { failureOf, publish } from '../observe/channels';
import type { SecretStore, Snapshot } from '../store/types';
import { assertStoreAndRecipe, misreadError, type Recipe, runRecipe } from './recipe';
import { CREDENTIAL_EVENTS, listenableOf, type ResourceEvents, ROTATION_EVENTS } from './resource-events';
import { ENGINE_DEFAULTS, Rotation } from './rotation';
import type { ResourceView } from './trace';
import { type TrackedSnapshot, track } from './tracked';
import type { EngineOptions, RotationEvents } from './types';

/** Options of every client that follows its secrets. Durations are milliseconds. */
export interface ClientRotationOptions {
  /** The name of the client in errors and events. */
  readonly name?: string | undefined;
  /**
   * How long requests may use a connection that was opened with replaced secrets; then it is closed.
   * Default: 3 600 000 (an hour).
   */
  readonly drainTimeoutMs?: number | undefined;
  /** Initial backoff after a generation that cannot be used. It doubles each time. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Maximum backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/**
 * The rotation of a client: its generation, its stale connections, its events.
 *
 * `rejected` and `error` events also reach the `error` listeners of the store. If neither has a listener, they become
 * process warnings.
 */
export interface ClientRotation extends Listenable<RotationEvents> {
  /** The store's generation that new connections are opened with. */
  readonly generation: number;
  /** Connections of older generations, open or being opened. */
  readonly staleCount: number;
}

/** The part of a store that a client uses. */
export type ClientStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on' | 'refresh'>;

type Connections = NonNullable<ReturnType<NonNullable<ResourceView['connections']>>>;

/** How an adapter connects. `State` holds what connections of one generation use: a context, a credential, a client. */
export interface ClientSetup<V, Options extends object, State> {
  /** The kind of client in telemetry: `https-agent`. */
  readonly kind: string;
  readonly store: ClientStore<V>;
  readonly recipe: Recipe<V, Options>;
  /** The client whose options the recipe returns: `an https.Agent`. */
  readonly returns: string;
  readonly options: Partial<EngineOptions> & { readonly name: string };
  /** Adds the events `refused` and `accepted`, for servers that may refuse a credential. */
  readonly refusals?: boolean | undefined;
  /** The emitter that this client shares with others, and the `name` in its own events. */
  readonly shared?: { readonly events: ResourceEvents | undefined; readonly label: string };
  /** Makes the state from the options that the recipe returned. Synchronous; leaves no connection open. */
  connect(options: Options, generation: number): State;
  /** Rejects if a new state does not work. */
  verify?(state: State, signal: AbortSignal): unknown;
}

/** How an adapter moves its client from one state to the next. */
export interface ClientWork<State> {
  /**
   * Makes new connections use `next`. Runs before any listener hears of the swap. `onlyTokens`: of the secrets that the recipe
   * reads, only tokens rotated, which count at a login.
   */
  swap(next: State, previous: State, onlyTokens: boolean): void;
  /** Settles when the last use of an old state is over, or `signal` aborts. */
  drained(state: State, signal: AbortSignal): unknown;
  /** Closes the remaining connections of a state, in use or not. May be called more than once. */
  close(state: State): unknown;
  /** Connections of one state, open or being opened. */
  openCount?(state: State): number;
  /** Connections of all states together, for adapters that do not count them by state. */
  connections?(): Connections;
}

/**
 * Reads the options of a client: the common options and its `own`. `inRecipe` lists settings of the client library,
 * which belong in the options that the recipe returns.
 * @throws `OPTION_UNKNOWN`, `OPTION_INVALID`.
 */
export function clientOptions<D extends Readonly<Record<string, Option<unknown>>>>(
  where: string,
  options: unknown,
  name: string,
  own: D,
  inRecipe: readonly string[] = [],
) {
  return undrainedOptions(where, options, name, { drainTimeoutMs: ms(3_600_000), ...own }, inRecipe);
}

/** As `clientOptions`, for a client whose connections the library keeps to itself, so that nothing can drain them. */
export function undrainedOptions<D extends Readonly<Record<string, Option<unknown>>>>(
  where: string,
  options: unknown,
  name: string,
  own: D,
  inRecipe: readonly string[] = [],
) {
  const misplaced = typeof options === 'object' ? Object.keys(options ?? {}) : [];
  const setting = misplaced.find((option) => inRecipe.includes(option));
  if (setting !== undefined) {
    throw new SecretsError('OPTION_INVALID', `\`${setting}\` is not an option of ${where}`, {
      next: `Return it from the recipe: (s) => ({ ${setting}: …, … }).`,
    });
  }
  return readOptions(where, options, {
    name: text(name),
    retryBaseMs: ms(1_000),
    retryMaxMs: ms(30_000),
    ...own,
  });
}

/**
 * A client that follows its secrets. Every adapter uses this class: the constructor builds the first state synchronously,
 * `follow` starts the rotation, and `expose` gives the client its public `rotation`.
 */
export class RotatingClient<V, Options extends object, State> {
  readonly #setup: ClientSetup<V, Options, State>;
  readonly #tracked: TrackedSnapshot<V>;
  /** States that were swapped out and may still be in use. */
  readonly #replaced = new Set<State>();
  #current: State;
  #generation: number;
  #work: ClientWork<State> | undefined;
  #rotation: Rotation<State, V> | undefined;
  #refusedAt: number | undefined;

  /**
   * `where`: the name of the function that makes the client, for messages.
   * @throws `OPTION_INVALID`, `RECIPE_FAILED`, `RECIPE_ASYNC`, `RECIPE_READS_NOTHING`, `RECIPE_READS_STORE`, or any error of `connect`.
   */
  constructor(where: string, setup: ClientSetup<V, Options, State>) {
    const { store, recipe, options } = setup;
    assertStoreAndRecipe(where, store, recipe);
    this.#setup = setup;
    const tracked = track<V>(store);
    const checkReads = () => {
      const misread = misreadError(tracked, 'recipe', options.name);
      if (misread !== undefined) throw misread;
    };
    this.#tracked = tracked;
    this.#current = tracked.run(() => this.#connect(tracked.snapshot, checkReads));
    this.#generation = tracked.snapshot.generation;
  }

  get name(): string {
    return this.#setup.options.name;
  }

  /** The state that new connections use. */
  get current(): State {
    return this.#current;
  }

  /** The store's generation that `current` was built from. */
  get generation(): number {
    return this.#generation;
  }

  /** Every state that may still have connections, the current one last. */
  get states(): readonly State[] {
    return [...this.#replaced, this.#current];
  }

  get connections(): Connections {
    const { connections, openCount = () => 0 } = this.#work ?? {};
    if (connections !== undefined) return connections();
    const stale = [...this.#replaced].reduce((count, old) => count + openCount(old), 0);
    return { open: stale + openCount(this.#current), stale };
  }

  /** Starts to follow the store. */
  follow(work: ClientWork<State>): void {
    const { kind, store, options, refusals, shared, verify } = this.#setup;
    this.#work = work;
    const counts = work.connections ?? work.openCount;
    this.#rotation = new Rotation<State, V>(
      store,
      {
        build: (snapshot) => this.#connect(snapshot),
        ...(verify === undefined ? {} : { verify: (state, signal) => verify(state, signal) }),
        drain: (old, signal) => work.drained(old, signal),
        dispose: (old) => {
          this.#replaced.delete(old);
          return work.close(old);
        },
      },
      { ...ENGINE_DEFAULTS, ...options },
      {
        initial: { resource: this.#current, tracked: this.#tracked },
        builder: 'recipe',
        view: {
          kind,
          connections: counts && (() => this.connections),
          refused: () => this.#refusedAt !== undefined,
        },
        events: refusals ? [...ROTATION_EVENTS, ...CREDENTIAL_EVENTS] : ROTATION_EVENTS,
        shared,
        swap: (next, generation, onlyTokens) => {
          const previous = this.#current;
          this.#replaced.add(previous);
          this.#current = next;
          this.#generation = generation;
          work.swap(next, previous, onlyTokens);
        },
      },
    );
  }

  /** Defines the public `rotation` of the client, extended by `more`. */
  expose<C extends object, More extends object = object>(
    client: C,
    more: More = {} as More,
  ): C & { readonly rotation: ClientRotation & More } {
    const value = Object.freeze(this.face(more));
    return Object.defineProperty(client, 'rotation', { value }) as never;
  }

  /** The public part of a rotation: generation, count of stale connections if anything counts them, events. */
  face<More extends object>(more: More): ClientRotation & More {
    const counts = (this.#work?.connections ?? this.#work?.openCount) !== undefined;
    const stale = () => (counts ? { staleCount: this.connections.stale } : {});
    const shown = () => {
      const own = Object.entries(more).filter(([, value]) => typeof value !== 'function');
      const { name, generation } = this;
      return { name, generation, ...stale(), ...Object.fromEntries(own) };
    };
    return Object.defineProperties(listenableOf(this.events), {
      ...Object.getOwnPropertyDescriptors(more),
      [inspectCustom]: {
        value: (_depth: number, options: InspectOptions) =>
          `Rotation ${builtin('util').inspect(shown(), options)}`,
      },
      generation: { enumerable: true, get: () => this.generation },
      ...(counts ? { staleCount: { enumerable: true, get: () => this.connections.stale } } : {}),
    }) as unknown as ClientRotation & More;
  }

  /** Reports that the server refuses the current credential, and refreshes the store to find a newer one. */
  refused(error: SecretsError, waiting: number): void {
    this.#refusedAt ??= performance.now();
    const { name, generation } = this;
    const { identity, events } = this.#engine;
    publish('hot-secrets:credential:refused', () => ({
      ...identity,
      ...failureOf(error),
      generation,
      waiting,
    }));
    events.alarm('refused', name, error, (told) => ({ name, generation, waiting, error: told }));
    this.refreshNow();
  }

  /** Reports that the server accepts the credential again, or accepts a newer one. */
  accepted(): void {
    const { name, generation } = this;
    const waitedMs = this.#refusedAt === undefined ? 0 : performance.now() - this.#refusedAt;
    this.#refusedAt = undefined;
    const { identity, events } = this.#engine;
    publish('hot-secrets:credential:accepted', () => ({ ...identity, generation, waitedMs }));
    events.emit('accepted', { name, generation, waitedMs });
  }

  /** Refreshes the store and retries at once: a newer credential may be in a source, or wait for its next attempt. */
  refreshNow(): void {
    this.#engine.retryNow();
    this.#setup.store.refresh({ trigger: 'auth-failure' }).catch((error: unknown) => {
      if (!isSecretsError(error, 'STORE_CLOSED')) throw error;
    });
  }

  get events(): ResourceEvents {
    return this.#engine.events;
  }

  /** Stops following the store, then drains and closes the current state. Repeated calls return the same promise. */
  stop(): Promise<void> {
    return this.#engine.close();
  }

  get #engine(): Rotation<State, V> {
    return this.#rotation as Rotation<State, V>;
  }

  #connect(snapshot: Snapshot<V>, afterRecipe = () => {}): State {
    const { recipe, returns, connect } = this.#setup;
    const options = runRecipe(this.name, recipe, snapshot, returns);
    afterRecipe();
    return connect(options, snapshot.generation);
  }
}
