import { unrefTimer } from '../../internal/time';

const MAX_LANES = 8;
const QUIET_MS = 1000;
const SLOW_MS = 1000;

/** How a login ended. `failed` means a reason that does not concern the credential. */
export type LoginOutcome = 'accepted' | 'refused' | 'failed';

/**
 * How many logins may be under way at once. The first one goes alone; each success opens another lane, up to eight, and
 * a quiet second closes them again. So a credential that the server no longer takes costs a handful of refused logins
 * under any load: servers lock accounts by counting them. A server answers about eight logins at a time anyway.
 *
 * A slow login leaves its lane to others and opens one more: when a server does not answer at all, callers must not wait
 * for each other's timeouts.
 */
export class LoginLanes {
  readonly #opened: () => void;
  #underWay = 0;
  #width = 1;
  #lastAt = 0;

  /** `opened`: there is room for another login, without one having ended. */
  constructor(opened: () => void) {
    this.#opened = opened;
  }

  get full(): boolean {
    return this.#underWay > 0 && this.#underWay >= Math.min(MAX_LANES, this.#width);
  }

  /** A login starts; call the returned function when it has ended. */
  enter(): (outcome: LoginOutcome) => void {
    const now = performance.now();
    if (this.#underWay === 0 && now - this.#lastAt > QUIET_MS) this.#width = 1;
    this.#lastAt = now;
    this.#underWay += 1;
    let inLane = true;
    const leave = () => {
      if (inLane) this.#underWay -= 1;
      inLane = false;
    };
    const cancel = unrefTimer(SLOW_MS, () => {
      leave();
      this.#lastAt = performance.now();
      this.#width += 1;
      this.#opened();
    });
    return (outcome) => {
      cancel();
      leave();
      this.#lastAt = performance.now();
      if (outcome === 'accepted') this.#width += 1;
      if (outcome === 'refused') this.#width = 1;
    };
  }
}
