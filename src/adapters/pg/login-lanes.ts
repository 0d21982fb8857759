const MOST_LANES = 8;
const QUIET_MS = 1000;

/**
 * How many logins may be under way at once. The first one goes alone; each success opens another lane, up to eight, and
 * a quiet second closes them again. So a credential that the server no longer takes costs a handful of refused logins,
 * whatever the load: servers lock accounts by counting them. A server answers about eight logins at a time anyway.
 */
export class LoginLanes {
  #underWay = 0;
  #successes = 0;
  #lastAt = 0;

  get full(): boolean {
    if (this.#underWay === 0) return false;
    return this.#underWay >= Math.min(MOST_LANES, 1 + this.#successes);
  }

  started(): void {
    const now = performance.now();
    if (this.#underWay === 0 && now - this.#lastAt > QUIET_MS) this.#successes = 0;
    this.#lastAt = now;
    this.#underWay += 1;
  }

  ended(succeeded: boolean): void {
    this.#underWay -= 1;
    this.#lastAt = performance.now();
    this.#successes = succeeded ? this.#successes + 1 : 0;
  }
}
