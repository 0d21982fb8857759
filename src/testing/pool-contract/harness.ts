import type { SecretStore, Snapshot } from '../../store/types';

/** The secrets of the pool of a case. */
export interface PoolSecrets {
  readonly user: string;
  readonly password: string;
}

/** Where a pool logs in, and as whom. */
export interface PoolLogin extends PoolSecrets {
  readonly host: string;
  readonly port: number;
}

/** The pool that a case needs. */
export interface PoolRequest {
  readonly store: SecretStore<PoolSecrets>;
  /** The recipe: everything that a login needs, from one snapshot of the store. */
  login(s: Snapshot<PoolSecrets>): PoolLogin;
  /** The largest number of connections. */
  readonly max: number;
  /** Time over which the connections of an old credential are replaced, in milliseconds. */
  readonly retireOverMs: number;
  /** How long an old connection may stay in use after a rotation before it is closed, in milliseconds. */
  readonly drainTimeoutMs: number;
  /** Call it each time new connections begin to use another credential, synchronously. */
  swapped(): void;
}

/** One pool of the adapter. */
export interface PoolUnderTest {
  /** Runs a query that takes `durationMs` on the server. Resolves with the id of its session, as in `sessions`. */
  query(durationMs: number): Promise<string>;
  /**
   * Runs one transaction on one connection: subtracts 1 from the balance of account `from`, awaits `pause()`, adds 1 to that of
   * `to`, and commits. If any of this fails, it rolls back, returns the connection to the pool, and rejects.
   */
  transfer(from: number, to: number, pause: () => Promise<void>): Promise<void>;
  /** Ends the pool. The contract calls it twice. */
  end(): Promise<void>;
}

/** The server of a case. Each function resolves once its effect holds for new logins. */
export interface PoolServer {
  readonly host: string;
  readonly port: number;
  /** Two users who may log in and use the same accounts. No other case uses them. */
  readonly users: readonly [string, string];
  /** Replaces the password of a user. Open sessions live on. */
  setPassword(user: string, password: string): Promise<void>;
  /** Returns an id for each open session of a user that has logged in. While it runs, a server gives no id twice. */
  sessions(user: string): Promise<readonly string[]>;
  /** Returns the balances of `ACCOUNTS` accounts, whose ids begin with 0. All of them are 0 at first. */
  balances(): Promise<readonly number[]>;
  /** Makes the pool of the adapter under test. */
  createPool(request: PoolRequest): PoolUnderTest | Promise<PoolUnderTest>;
  /** Refuses new logins of a user, as for a wrong credential. Open sessions live on. */
  lock?(user: string): Promise<void>;
  unlock?(user: string): Promise<void>;
  /** Ends the sessions of a user. Resolves with the number of sessions that it ended. */
  killSessions?(user: string): Promise<number>;
  /** Limits the number of simultaneous sessions of a user. */
  limit?(user: string, sessions: number): Promise<void>;
  /** Stops the server, which ends every session. */
  stop?(): Promise<void>;
  /** Starts it again, on the same port. */
  start?(): Promise<void>;
  /** Called at the end of each case, after its pools have ended. */
  cleanup?(): Promise<void> | void;
}

/**
 * What some servers or clients cannot do:
 *
 * - `lock`: refuse new logins of a user without ending its sessions.
 * - `killSessions`: end the sessions of a user.
 * - `limit`: limit the sessions of a user.
 * - `restart`: stop and start again (`stop` and `start`).
 * - `transfer`: transactions.
 * - `drainTimeout`: close connections that stay in use.
 */
export type PoolAbility = 'lock' | 'killSessions' | 'limit' | 'restart' | 'transfer' | 'drainTimeout';

/** What `poolContract` needs to know about an adapter for pools, and about its server. */
export interface PoolHarness {
  /** Makes the surroundings of a case. The server may serve all cases, because they run one after another. */
  create(passwords: readonly [string, string]): PoolServer | Promise<PoolServer>;
  /** What the server or the client cannot do, each with the reason. The cases that need it are listed as skipped. */
  readonly cannot?: Readonly<Partial<Record<PoolAbility, string>>>;
}

/** The number of accounts that `transfer` uses: 0 to 9. */
export const ACCOUNTS = 10;
