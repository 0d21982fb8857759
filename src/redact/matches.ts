const WIDTH = 3;
const FIRST_SIZE = 16;

/**
 * Parts of a text to mask, each with a number that stands for its secret. They are ordered by their start, and the longest of
 * those with the same start comes first.
 */
export class Matches {
  #size = 0;
  /** The start, the end and the owner of each. */
  #fields = NONE;

  get size(): number {
    return this.#size;
  }

  startOf(index: number): number {
    return this.#fields[index * WIDTH] as number;
  }

  endOf(index: number): number {
    return this.#fields[index * WIDTH + 1] as number;
  }

  ownerOf(index: number): number {
    return this.#fields[index * WIDTH + 2] as number;
  }

  add(start: number, end: number, owner: number): void {
    const at = this.#size * WIDTH;
    if (at === this.#fields.length) {
      const fields = this.#fields;
      this.#fields = new Int32Array(Math.max(fields.length * 2, FIRST_SIZE * WIDTH));
      this.#fields.set(fields);
    }
    this.#size += 1;
    this.#fields[at] = start;
    this.#fields[at + 1] = end;
    this.#fields[at + 2] = owner;
  }

  /** Changes the start and the end of each to what `positions` has for them. */
  map(positions: Int32Array): void {
    for (let at = 0; at < this.#size * WIDTH; at += WIDTH) {
      this.#fields[at] = positions[this.#fields[at] as number] as number;
      this.#fields[at + 1] = positions[this.#fields[at + 1] as number] as number;
    }
  }

  /** Returns these and others. What both have is taken from these. */
  with(others: Matches): Matches {
    if (others.size === 0) return this;
    if (this.#size === 0) return others;
    const all = new Matches();
    let other = 0;
    for (let index = 0; index < this.#size; index += 1) {
      const start = this.startOf(index);
      const end = this.endOf(index);
      for (; other < others.size; other += 1) {
        const otherStart = others.startOf(other);
        const otherEnd = others.endOf(other);
        if (otherStart > start || (otherStart === start && otherEnd < end)) break;
        if (otherStart !== start || otherEnd !== end) all.add(otherStart, otherEnd, others.ownerOf(other));
      }
      all.add(start, end, this.ownerOf(index));
    }
    for (; other < others.size; other += 1) {
      all.add(others.startOf(other), others.endOf(other), others.ownerOf(other));
    }
    return all;
  }
}

const NONE = new Int32Array(0);
