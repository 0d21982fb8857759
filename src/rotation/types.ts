import type { SecretsError } from '../errors';
import type { Snapshot } from '../store/types';

/** How one kind of resource is made and let go. The engine does the rest. */
export interface Lifecycle<R, V> {
  /** Makes the resource from one generation. What it reads of the snapshot is what it depends on. */
  build(snapshot: Snapshot<V>, signal: AbortSignal): R | Promise<R>;
  /** Proves that a new resource works, by rejecting when it does not. Default: it is taken as built. */
  verify?(resource: R, signal: AbortSignal): unknown;
  /** Settles when nothing uses the old resource any more, beside the leases of `use`. Default: at once. */
  drain?(resource: R, signal: AbortSignal): unknown;
  /** Closes a resource: drained, superseded before it served, or forced at the deadline. Default: nothing. */
  dispose?(resource: R): unknown;
}

/** Durations are milliseconds. */
export interface RotatingOptions {
  /** What errors and events call it. Default: `resource`. */
  readonly name?: string;
  /** Bound of one `build`. Default: 30 000. */
  readonly buildTimeoutMs?: number;
  /** Bound of one `verify`. Default: 10 000. */
  readonly verifyTimeoutMs?: number;
  /** How long an old resource may stay in use before it is disposed by force. Default: 30 000. */
  readonly drainTimeoutMs?: number;
  /** First step of the backoff between attempts, which doubles, with full jitter. Default: 1 000. */
  readonly retryBaseMs?: number;
  /** Longest step of the backoff. Default: 30 000. */
  readonly retryMaxMs?: number;
  /** Bound of `ready`; attempts go on after it. Default: 30 000. */
  readonly readyTimeoutMs?: number;
}

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
  readonly error: SecretsError;
  /** When it is tried again, unless a newer generation comes first. */
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
  /** A new resource was not good enough; the old one serves. Once per cause, not once per retry. */
  rejected: RejectedEvent;
  /** An old resource is out of use and closed. */
  drained: DrainedEvent;
  /** `DRAIN_TIMEOUT`, `DISPOSE_FAILED`, `LISTENER_FAILED`. Without a listener: `process.emitWarning`. */
  error: SecretsError;
}

/** A resource that is renewed when a secret that it was built from rotates. */
export interface Rotating<R> extends AsyncDisposable {
  /** Resolves with the first resource; rejects with the last error after `readyTimeoutMs`. */
  readonly ready: Promise<R>;
  /** The resource of now. Throws `ROTATION_NOT_READY` before `ready`, `ROTATION_CLOSED` after `close()`. */
  readonly current: R;
  /** The store's generation that `current` was built from. */
  readonly generation: number;
  /** Runs `work` with the resource of now, which is not disposed before `work` settles (or the drain deadline). */
  use<T>(work: (resource: R) => T | Promise<T>): Promise<T>;
  on<E extends keyof RotationEvents>(event: E, listener: (payload: RotationEvents[E]) => void): () => void;
  /** Stops following the store, drains and disposes the resource. May be called again. */
  close(): Promise<void>;
}
