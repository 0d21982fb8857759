import type { PooledConnection } from './paced-retirement';

/** Durations are milliseconds. */
export interface PoolSettings {
  readonly name: string;
  readonly retireOverMs: number;
  readonly authFailureWaitMs: number;
  readonly drainTimeoutMs: number;
  readonly verifyTimeoutMs: number;
}

/** Everything that a login needs, from one generation. */
export interface PoolCredential {
  /** Unique even within one generation, because the end of a grace window makes another credential. */
  readonly id: number;
}

/** The events of the pool that its rotation hears. */
export interface PoolEvents {
  /** The first login with the current credential since an accepted one was refused. */
  refused: { readonly error: Error; readonly waiting: number };
  /** A probe tries the current credential again; a newer one may have arrived, too. */
  probing: undefined;
  /** The server accepts logins again. */
  accepted: undefined;
  /** The pool is ending. */
  ending: undefined;
}

/** The pool's side of a rotation. */
export interface RotatedPool<K extends PoolCredential, C extends PooledConnection> {
  /** Makes new connections log in with this credential. Retires the others, unless `keep` counts them as its own. */
  swap(credential: K, keep: boolean): void;
  /** The open connections with another credential than the current one. */
  stale(): C[];
  /** Resolves when no connection of a credential remains. */
  drained(credential: K, signal: AbortSignal): Promise<void>;
  /** Gives the place of a connection to a login outside of the pool, for a server at its limit: see `PacedRetirement`. */
  makeRoom(signal: AbortSignal): Promise<(() => void) | undefined>;
}
