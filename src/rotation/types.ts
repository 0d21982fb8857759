import type { SecretsError } from '../errors';
import type { Listenable } from '../internal/events';
import type { SecretStore, Snapshot } from '../store/types';

/** The part of a store that a rotation uses. */
export type RotationStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on' | 'refresh'>;

/**
 * Registers a function that closes what a build has opened. It runs after `dispose`, the last one first: when the resource is
 * disposed of, and also when the build fails, times out, or is superseded before there is a resource.
 */
export type OnDispose = (disposer: () => unknown) => void;

/** The functions that build, verify, drain and dispose one kind of resource. The engine calls them. */
export interface Lifecycle<R, V> {
  /**
   * Builds the resource from one snapshot. A rotation of any secret that it reads there replaces the resource. `signal`
   * aborts when nobody needs the result anymore; `onDispose` registers what the build has opened so far.
   */
  build(snapshot: Snapshot<V>, signal: AbortSignal, onDispose: OnDispose): R | Promise<R>;
  /** Rejects if the new resource does not work. Default: every built resource counts as working. */
  verify?(resource: R, signal: AbortSignal): unknown;
  /** Settles when nothing uses the old resource anymore. Calls of `use` are counted separately. Default: at once. */
  drain?(resource: R, signal: AbortSignal): unknown;
  /** Closes a resource that has drained, reached its drain deadline, or was superseded before use. Default: nothing. */
  dispose?(resource: R): unknown;
}

/** Durations are milliseconds. */
export interface RotatingOptions {
  /** The name of the resource in errors and events. Default: `resource`. */
  readonly name?: string | undefined;
  /** Time limit of one `build`. Default: 30 000. */
  readonly buildTimeoutMs?: number | undefined;
  /** Time limit of one `verify`. Default: 10 000. */
  readonly verifyTimeoutMs?: number | undefined;
  /** How long an old resource may stay in use; then it is disposed by force. Default: 30 000. */
  readonly drainTimeoutMs?: number | undefined;
  /** Initial backoff between attempts. It doubles each time, with full jitter. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Maximum backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
  /** Time limit of `ready`. Attempts continue after it. Default: 30 000. */
  readonly readyTimeoutMs?: number | undefined;
  /**
   * Returns true for an error by which the server refuses the credential: `({ code }) => code === '28P01'`. Then `use` waits for
   * newer secrets, and runs its work again. Only for errors after which nothing of the work has happened.
   */
  // biome-ignore lint/suspicious/noExplicitAny: so that a function may take an error apart without a cast.
  readonly isRefused?: ((error: any) => boolean) | undefined;
  /** With `isRefused`: how long `use` waits before it fails with that error. Default: 15 000. */
  readonly authFailureWaitMs?: number | undefined;
}

/** The options of a rotation, with all defaults applied. */
export type EngineOptions = {
  readonly [O in keyof Omit<RotatingOptions, 'isRefused' | 'authFailureWaitMs'>]-?: NonNullable<
    RotatingOptions[O]
  >;
};

/** A new resource has taken over. */
export interface SwappedEvent {
  readonly name: string;
  /** The store's generation that the new resource was built from. */
  readonly generation: number;
  readonly previousGeneration: number | undefined;
  readonly attempts: number;
  /** From the first attempt to the swap. */
  readonly durationMs: number;
}

/** A new resource could not be used; the old one stays. */
export interface RejectedEvent {
  readonly name: string;
  readonly generation: number;
  /** `error.resource` is the name of the resource. */
  readonly error: SecretsError;
  /** When the next attempt starts, unless a newer generation comes first. */
  readonly retryInMs: number;
}

/** An old resource was drained and disposed. */
export interface DrainedEvent {
  readonly name: string;
  readonly generation: number;
  /** True when the deadline came first. */
  readonly forced: boolean;
  readonly durationMs: number;
}

/** The events of a rotation. */
export interface RotationEvents {
  /** A new resource serves. */
  swapped: SwappedEvent;
  /** A new resource failed to build or verify; the old one stays in use. Emitted once per cause, not once per retry. */
  rejected: RejectedEvent;
  /** The old resource has drained and is closed. */
  drained: DrainedEvent;
  /** `DRAIN_TIMEOUT`, `DISPOSE_FAILED`, `LISTENER_FAILED`. */
  error: SecretsError;
}

/** Events of clients whose server can refuse their credential, in addition to `RotationEvents`. */
export interface CredentialEvents {
  /** The server refuses the current credential. Callers wait while the store refreshes. */
  refused: {
    readonly name: string;
    readonly generation: number;
    readonly waiting: number;
    readonly error: SecretsError;
  };
  /** The server accepts logins again. */
  accepted: { readonly name: string; readonly generation: number; readonly waitedMs: number };
}

/**
 * A resource that is rebuilt when a secret that it was built from rotates.
 *
 * Its `rejected` and `error` events also reach the `error` listeners of the store. If neither has a listener, they become
 * process warnings.
 */
export interface Rotating<R> extends AsyncDisposable, Listenable<RotationEvents> {
  /** Resolves with the first resource; rejects with the last error after `readyTimeoutMs`. */
  readonly ready: Promise<R>;
  /** The current resource. Throws `ROTATION_NOT_READY` before `ready`, `ROTATION_CLOSED` after `close()`. */
  readonly current: R;
  /** The store's generation that `current` was built from. */
  readonly generation: number;
  /**
   * Runs `work` with the current resource, which stays open until `work` settles or the drain deadline passes. With the option
   * `isRefused`, runs refused work again.
   */
  use<T>(work: (resource: R) => T | Promise<T>): Promise<T>;
  /**
   * Stops following the store, then drains and disposes the resource. A build or verification in progress is told to stop,
   * and waited for no longer than a second. Repeated calls return the same promise.
   */
  close(): Promise<void>;
}
