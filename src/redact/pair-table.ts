const MIN_BITS = 12;
const GOLDEN = 0x9e3779b1;
/** The bits of a slot that hold the value plus 1. The count has the others. */
const VALUE = 0x1fff;
const ONCE = VALUE + 1;
const MOST = ~VALUE;

/**
 * Pairs of a 32-bit integer and an integer below 8,191, found by the first. It counts how often each pair was added. A pair
 * that was added half a million times stays.
 */
export class PairTable {
  #shift = 0;
  #last = 0;
  #size = 0;
  // Each slot has a key, then the count and the value plus 1. 0 is a free slot.
  #slots = new Int32Array(0);

  constructor() {
    this.#allocate(MIN_BITS);
  }

  /** Makes room for that many more pairs, so that adding them never moves the others. */
  reserve(count: number): void {
    const bits = Math.ceil(Math.log2((this.#size + count) * 2));
    if (bits > 32 - this.#shift) this.#resize(bits);
  }

  add(key: number, value: number): void {
    if (this.#size * 4 > this.#slots.length) this.#resize(33 - this.#shift);
    const slots = this.#slots;
    let slot = this.#slotOf(key);
    for (; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      const entry = slots[slot + 1] as number;
      if (slots[slot] !== key || (entry & VALUE) !== value + 1) continue;
      if ((entry & MOST) !== MOST) slots[slot + 1] = entry + ONCE;
      return;
    }
    slots[slot] = key;
    slots[slot + 1] = (value + 1) | ONCE;
    this.#size += 1;
  }

  /** Removes a pair that was added as often as it is removed. */
  remove(key: number, value: number): void {
    const slots = this.#slots;
    let free = this.first(key);
    while (this.value(free) !== value) free = this.next(free, key);
    const entry = slots[free + 1] as number;
    if ((entry & MOST) === MOST) return;
    slots[free + 1] = entry - ONCE;
    if (entry >>> 0 >= ONCE * 2) return;
    this.#size -= 1;
    // A search ends at a free slot, so pairs behind it move up unless they would come before their own first slot.
    for (let slot = (free + 2) & this.#last; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      const from = this.#slotOf(slots[slot] as number);
      if (((slot - from) & this.#last) < ((slot - free) & this.#last)) continue;
      slots[free] = slots[slot] as number;
      slots[free + 1] = slots[slot + 1] as number;
      free = slot;
    }
    slots[free + 1] = 0;
  }

  /** Returns the first slot with a key, or -1. */
  first(key: number): number {
    return this.#from(this.#slotOf(key), key);
  }

  next(slot: number, key: number): number {
    return this.#from((slot + 2) & this.#last, key);
  }

  value(slot: number): number {
    return ((this.#slots[slot + 1] as number) & VALUE) - 1;
  }

  #resize(bits: number): void {
    const old = this.#slots;
    const size = this.#size;
    this.#allocate(bits);
    const slots = this.#slots;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let slot = this.#slotOf(old[from] as number);
      while (slots[slot + 1] !== 0) slot = (slot + 2) & this.#last;
      slots[slot] = old[from] as number;
      slots[slot + 1] = old[from + 1] as number;
    }
    this.#size = size;
  }

  #allocate(bits: number): void {
    this.#shift = 32 - bits;
    this.#slots = new Int32Array(2 << bits);
    this.#last = this.#slots.length - 1;
    this.#size = 0;
  }

  #slotOf(key: number): number {
    return (Math.imul(key, GOLDEN) >>> this.#shift) * 2;
  }

  #from(start: number, key: number): number {
    const slots = this.#slots;
    for (let slot = start; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      if (slots[slot] === key) return slot;
    }
    return -1;
  }
}
