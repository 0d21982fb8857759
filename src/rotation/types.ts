import type { SecretsError } from '../errors';
import type { Listenable } from '../internal/events';
import type { SecretStore, Snapshot } from '../store/types';

/** What a rotation needs of a store. */
export type RotationStore<V> = Pick<SecretStore<V>, 'snapshot' | 'on'>;

/** How one kind of resource is made and released. The engine does the rest. */
export interface Lifecycle<R, V> {
  /** Builds the resource from one generation. The resource depends on the secrets that it reads from the snapshot. */
  build(snapshot: Snapshot<V>, signal: AbortSignal): R | Promise<R>;
  /** Proves that a new resource works, by rejecting when it does not. Default: a built resource counts as working. */
  verify?(resource: R, signal: AbortSignal): unknown;
  /** Settles when nothing uses the old resource anymore, apart from the leases of `use`. Default: at once. */
  drain?(resource: R, signal: AbortSignal): unknown;
  /** Closes a resource: drained, superseded before it served, or forced at the deadline. Default: nothing. */
  dispose?(resource: R): unknown;
}

/** Durations are milliseconds. */
export interface RotatingOptions {
  /** Its name in errors and events. Default: `resource`. */
  readonly name?: string | undefined;
  /** Bound of one `build`. Default: 30 000. */
  readonly buildTimeoutMs?: number | undefined;
  /** Bound of one `verify`. Default: 10 000. */
  readonly verifyTimeoutMs?: number | undefined;
  /** How long an old resource may stay in use before it is disposed by force. Default: 30 000. */
  readonly drainTimeoutMs?: number | undefined;
  /** First step of the backoff between attempts, which doubles, with full jitter. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** Longest step of the backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
  /** Bound of `ready`; attempts continue after it. Default: 30 000. */
  readonly readyTimeoutMs?: number | undefined;
}

/** The options of a rotation, complete. */
export type EngineOptions = { readonly [O in keyof RotatingOptions]-?: NonNullable<RotatingOptions[O]> };

export interface SwappedEvent {
  readonly name: string;
  /** The store's generation that the new resource was built from. */
  readonly generation: number;
  readonly previousGeneration: number | undefined;
  readonly attempts: number;
  /** From the first attempt to the swap. */
  readonly durationMs: number;
}

export interface RejectedEvent {
  readonly name: string;
  readonly generation: number;
  /** `error.resource` is the name of the resource. */
  readonly error: SecretsError;
  /** When the next attempt starts, unless a newer generation comes first. */
  readonly retryInMs: number;
}

export interface DrainedEvent {
  readonly name: string;
  readonly generation: number;
  /** True when the deadline came first. */
  readonly forced: boolean;
  readonly durationMs: number;
}

export interface RotationEvents {
  /** A new resource serves. */
  swapped: SwappedEvent;
  /** A new resource could not be used; the old one serves. Once per cause, not once per retry. */
  rejected: RejectedEvent;
  /** The old resource has drained and is closed. */
  drained: DrainedEvent;
  /** `DRAIN_TIMEOUT`, `DISPOSE_FAILED`, `LISTENER_FAILED`. */
  error: SecretsError;
}

/** What a server says about the credential of a client, in addition to the events of its rotation. */
export interface CredentialEvents {
  /** The server refuses the current credential; callers wait, and the store refreshes. */
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
 * Its `rejected` and `error` events reach the `error` listeners of the store too. Where neither has a listener, they are
 * process warnings.
 */
export interface Rotating<R> extends AsyncDisposable, Listenable<RotationEvents> {
  /** Resolves with the first resource; rejects with the last error after `readyTimeoutMs`. */
  readonly ready: Promise<R>;
  /** The current resource. Throws `ROTATION_NOT_READY` before `ready`, `ROTATION_CLOSED` after `close()`. */
  readonly current: R;
  /** The store's generation that `current` was built from. */
  readonly generation: number;
  /** Runs `work` with the current resource, which is not disposed before `work` settles (or the drain deadline). */
  use<T>(work: (resource: R) => T | Promise<T>): Promise<T>;
  /** Stops following the store, drains and disposes the resource. May be called again. */
  close(): Promise<void>;
}
