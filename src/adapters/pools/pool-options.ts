import { ms, oneOf } from '../../internal/options';

type Retire = 'unless-token' | 'always' | 'never';

/** Options of every pool. Durations are milliseconds. */
export interface RotatingPoolOptions {
  /** The name of the pool in errors and events. Default: `pool`. */
  readonly name?: string | undefined;
  /** Time limit of the test login before a new credential is used. Default: 5 000. */
  readonly verifyTimeoutMs?: number | undefined;
  /**
   * Whether the connections of the old credential are retired. `unless-token` (default): not if only tokens rotated, because
   * the server checks a token at the login and lets its session live on. `always`; `never`: new logins use the new credential,
   * and open connections stay, even those of another user.
   */
  readonly retire?: Retire | undefined;
  /**
   * Time over which the connections of the old credential are retired, with jitter. Default: 20 000. Each replacement is a
   * login, which takes processor time of this process and of the server from queries.
   */
  readonly retireOverMs?: number | undefined;
  /**
   * How long such a connection may stay checked out before it is closed while in use; also the time limit of `end()`.
   * Default: 3 600 000 (an hour), because the server does not end these sessions, so breaking a long transaction gains nothing.
   */
  readonly drainTimeoutMs?: number | undefined;
  /** How long a caller waits while the server refuses the current credential, before the call fails. Default: 15 000. */
  readonly authFailureWaitMs?: number | undefined;
  /** First step of the backoff between test logins with a credential that failed. Default: 1 000. */
  readonly retryBaseMs?: number | undefined;
  /** The longest step of that backoff. Default: 30 000. */
  readonly retryMaxMs?: number | undefined;
}

/** The declarations of those that `clientOptions` does not declare. */
export const POOL_OPTIONS = {
  verifyTimeoutMs: ms(5_000),
  retire: oneOf<Retire>('unless-token', 'always', 'never'),
  retireOverMs: ms(20_000),
  authFailureWaitMs: ms(15_000),
};

/** Tells whether the open connections count as connections of the new credential. */
export function keeps(retire: Retire, onlyTokens: boolean): boolean {
  return retire === 'never' || (retire === 'unless-token' && onlyTokens);
}
