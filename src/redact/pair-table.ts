const MIN_BITS = 12;
const GOLDEN = 0x9e3779b1;

/** Pairs of integers, found by the first. It counts how often each pair was added. */
export class PairTable {
  #shift = 0;
  #last = 0;
  #size = 0;
  // Each slot has a key, then the value plus 1. 0 is a free slot.
  #slots = new Int32Array(0);
  #counts = new Int32Array(0);

  constructor() {
    this.#allocate(MIN_BITS);
  }

  /** Makes room for that many more pairs, so that adding them never moves the others. */
  reserve(count: number): void {
    const bits = Math.ceil(Math.log2((this.#size + count) * 2));
    if (bits > 32 - this.#shift) this.#resize(bits);
  }

  add(key: number, value: number): void {
    if (this.#size * 2 > this.#counts.length) this.#resize(33 - this.#shift);
    this.#put(key, value, 1);
  }

  /** Removes a pair that was added as often as it is removed. */
  remove(key: number, value: number): void {
    const slots = this.#slots;
    let free = this.first(key);
    while (slots[free + 1] !== value + 1) free = this.next(free, key);
    this.#counts[free >> 1] = (this.#counts[free >> 1] as number) - 1;
    if (this.#counts[free >> 1] !== 0) return;
    this.#size -= 1;
    // A search ends at a free slot, so pairs behind it move up unless they would come before their own first slot.
    for (let slot = (free + 2) & this.#last; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      const from = this.#slotOf(slots[slot] as number);
      if (((slot - from) & this.#last) < ((slot - free) & this.#last)) continue;
      slots[free] = slots[slot] as number;
      slots[free + 1] = slots[slot + 1] as number;
      this.#counts[free >> 1] = this.#counts[slot >> 1] as number;
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
    return (this.#slots[slot + 1] as number) - 1;
  }

  #put(key: number, value: number, count: number): void {
    const slots = this.#slots;
    let slot = this.#slotOf(key);
    for (; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      if (slots[slot] !== key || slots[slot + 1] !== value + 1) continue;
      this.#counts[slot >> 1] = (this.#counts[slot >> 1] as number) + count;
      return;
    }
    slots[slot] = key;
    slots[slot + 1] = value + 1;
    this.#counts[slot >> 1] = count;
    this.#size += 1;
  }

  #resize(bits: number): void {
    const slots = this.#slots;
    const counts = this.#counts;
    this.#allocate(bits);
    for (let slot = 0; slot < slots.length; slot += 2) {
      if (slots[slot + 1] === 0) continue;
      this.#put(slots[slot] as number, (slots[slot + 1] as number) - 1, counts[slot >> 1] as number);
    }
  }

  #allocate(bits: number): void {
    this.#shift = 32 - bits;
    this.#slots = new Int32Array(2 << bits);
    this.#counts = new Int32Array(1 << bits);
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
