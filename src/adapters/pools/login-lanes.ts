import { unrefTimer } from '../../internal/time';

const SLOW_MS = 1000;

/** How a login ended. `failed` means a reason that does not concern the credential. */
export type LoginOutcome = 'accepted' | 'refused' | 'failed';

/** How many logins run at a time once the server has answered one. Default: as many as the pool has places. */
export interface LaneLimits {
  /** How long an answer of the server counts, in milliseconds: after it, the next login goes alone again. */
  readonly validMs?: number;
  /** So many logins may be refused when the password changes meanwhile. */
  readonly most?: number;
}

/**
 * Sends the first login with a credential alone, and the others after it. A credential that the server no longer accepts costs
 * one refused login per attempt under any load, because servers lock accounts by counting refused logins. After any other
 * answer, logins run up to a limit.
 *
 * A login that takes longer than a second no longer counts, so that callers do not wait for each other's timeouts when a
 * server does not answer.
 */
export class LoginLanes {
  readonly #opened: () => void;
  readonly #validMs: number;
  readonly #most: number;
  #running = 0;
  #width = 1;
  #openedAt = 0;

  /** `opened` runs when there is room for another login although none has ended. */
  constructor(
    opened: () => void,
    { validMs = Number.POSITIVE_INFINITY, most = Number.POSITIVE_INFINITY }: LaneLimits = {},
  ) {
    this.#opened = opened;
    this.#validMs = validMs;
    this.#most = most;
  }

  get full(): boolean {
    if (performance.now() - this.#openedAt > this.#validMs) this.doubt();
    return this.#running >= this.#width;
  }

  /** Lets the others follow, because the server accepts the credential. */
  open(): void {
    this.#width = this.#most;
    this.#openedAt = performance.now();
  }

  /** Sends the next login alone again: something happened after which the last answer of the server may no longer hold. */
  doubt(): void {
    this.#width = Math.min(this.#width, Math.max(1, this.#running));
  }

  /** Counts a login that starts. Returns a function to call when it has ended. */
  enter(): (outcome: LoginOutcome) => void {
    this.#running += 1;
    let counts = true;
    const leave = () => {
      if (counts) this.#running -= 1;
      counts = false;
    };
    const cancel = unrefTimer(SLOW_MS, () => {
      leave();
      this.#width += 1;
      this.#opened();
    });
    return (outcome) => {
      cancel();
      leave();
      if (outcome === 'refused') this.#width = 1;
      else this.open();
    };
  }
}
