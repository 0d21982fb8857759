import type { Credential } from './credential';
import { isWrongPassword } from './refusal';

/** How long to wait after the first, the second, … refusal of one password. */
const PAUSES_MS = [1_000, 60_000, 120_000, 300_000] as const;
/** More passwords than one account has at a time. */
const MAX_REMEMBERED = 16;

interface Refused {
  readonly account: string;
  readonly error: unknown;
  readonly count: number;
  readonly until: number;
}

/**
 * Paces the logins with a password that the server refused. MySQL and MariaDB can lock an account after some refusals in a row,
 * usually three to ten, and then refuse the right password too. So a password is refused at most twice within a minute.
 */
export class RefusedLogins {
  readonly #refused = new Map<string, Refused>();

  /** Returns the error of the last login with the same password, if it is too early for another. */
  tooEarly({ login }: Credential): unknown {
    const refused = this.#refused.get(login);
    return refused !== undefined && performance.now() < refused.until ? refused.error : undefined;
  }

  failed({ login, account }: Credential, error: unknown): void {
    if (!isWrongPassword(error)) return;
    const count = (this.#refused.get(login)?.count ?? 0) + 1;
    const pause = PAUSES_MS[Math.min(count, PAUSES_MS.length) - 1] as number;
    this.#refused.delete(login);
    this.#refused.set(login, { account, error, count, until: performance.now() + pause });
    if (this.#refused.size > MAX_REMEMBERED) this.#refused.delete([...this.#refused.keys()][0] as string);
  }

  /** The server forgets the refusals of an account when it accepts a login. */
  accepted({ account }: Credential): void {
    for (const [login, refused] of this.#refused) {
      if (refused.account === account) this.#refused.delete(login);
    }
  }

  /** The server has changed: a password that it refused before may be the right one now. */
  retryOthers({ login }: Credential): void {
    for (const [other, refused] of this.#refused) {
      if (other !== login) this.#refused.set(other, { ...refused, until: 0 });
    }
  }
}
