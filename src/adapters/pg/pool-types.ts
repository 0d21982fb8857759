import type { Pool } from 'pg';
import type { Credential } from './credential';
import type { StampedClient } from './stamped-client';

/** Durations are milliseconds. */
export interface PoolSettings {
  readonly name: string;
  readonly retireOverMs: number;
  readonly authFailureWaitMs: number;
  readonly listenDrainTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly verifyTimeoutMs: number;
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
export interface RotatingPool extends Pool {
  /** Makes new connections log in with this credential. Retires the others, unless `keep` counts them as its own. */
  swap(credential: Credential, keep: boolean): void;
  /** The open connections with another credential than the current one. */
  stale(): StampedClient[];
  /** Resolves when no connection of a credential remains, except those that hold a LISTEN. */
  drained(credential: Credential, signal: AbortSignal): Promise<void>;
  /** Gives the place of a connection to a login outside of the pool, for a server at its limit: see `PacedRetirement`. */
  makeRoom(signal: AbortSignal): Promise<(() => void) | undefined>;
  /** Closes the remaining connections of a credential, in use or not. */
  force(credential: Credential, which: 'listening' | 'others'): void;
}
