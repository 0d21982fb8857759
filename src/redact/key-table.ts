import type { Units } from './characters';
import { FOLDED } from './hashes';

const MIN_BITS = 10;
/** The room for a form, as a power of two: more of it finds fewer forms where there are none. */
const ROOM_BITS = 3;
const GOLDEN = 0x9e3779b1;
const FACTOR = 0x85ebca6b;
/** The number of bits of a key that say whether the table may have it. As many numbers fit into a fast cache. */
const FILTER_BITS = 19;
const PLUS = 0x2b;
const MINUS = 0x2d;
const SLASH = 0x2f;
const UNDERSCORE = 0x5f;
const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** The number of characters that a key stands for, which begin at the first or the second character of a form. */
const KEY_LENGTH = 4;
/** The step between the positions of a text with a key: one of the keys of a form is at such a position. */
export const STEP = 2;

/** Returns the pairs of characters in a text, without a last one that has none. */
export function pairsOf(units: Units, length: number): Int32Array {
  return new Int32Array(units.buffer, units.byteOffset, length >> 1);
}

/** Returns the key of two pairs of characters. */
export function keyOf(pair: number, next: number): number {
  return Math.imul(pair, GOLDEN) ^ Math.imul(next, FACTOR);
}

/**
 * The lengths of forms by their keys, which are hashes of a few characters. Different keys may share a place, so there may be
 * no form of a length that the table returns. Forms stay until the table is made again.
 */
export class KeyTable {
  readonly #bits: number;
  /** For each place, sets of the lengths of the forms that begin with a key, and one character before it. */
  readonly #sets: Int32Array;
  readonly #filter = new Int32Array(1 << (FILTER_BITS - 5));
  /** The lengths that each bit of a set stands for: one, unless there are more than 32. */
  readonly #lengths: number[][] = Array.from({ length: 32 }, () => []);
  readonly #bitOf = new Map<number, number>();

  /** Makes a table for as many forms, and a few more. */
  constructor(count: number) {
    this.#bits = Math.max(MIN_BITS, Math.ceil(Math.log2(count + 1)) + ROOM_BITS);
    this.#sets = new Int32Array(STEP << this.#bits);
  }

  /** The number of forms for which the table has enough room. */
  get capacity(): number {
    return 2 ** (this.#bits - ROOM_BITS + 1);
  }

  /**
   * Adds a form, which is a part of a text.
   *
   * @param inUrl True if the form may also stand in the alphabet of base64 for URLs.
   */
  add(text: string, start: number, length: number, inUrl: boolean): void {
    let bit = this.#bitOf.get(length);
    if (bit === undefined) {
      bit = this.#bitOf.size % 32;
      this.#bitOf.set(length, bit);
      (this.#lengths[bit] as number[]).push(length);
    }
    for (let before = 0; before < STEP; before += 1) {
      const at = start + before;
      this.#add(keyAt(text, at, 0), before, 1 << bit);
      if (!inUrl) continue;
      let others = 0;
      for (let index = 0; index < KEY_LENGTH; index += 1) {
        const code = text.charCodeAt(at + index);
        if (code === PLUS || code === SLASH) others |= 1 << index;
      }
      // Each subset of them, because a key is not the same in both alphabets.
      for (let choice = others; choice > 0; choice = (choice - 1) & others) {
        this.#add(keyAt(text, at, choice), before, 1 << bit);
      }
    }
  }

  /** Returns false for most keys that no form has. */
  mayHave(key: number): boolean {
    const bit = key >>> (32 - FILTER_BITS);
    return ((this.#filter[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  /** Returns the set of lengths of the forms that begin `before` characters before a key, where 0 is none. */
  lengthsAt(key: number, before: number): number {
    return this.#sets[this.#placeOf(key) + before] as number;
  }

  /** Returns the lengths that a bit of such a set stands for. */
  lengthsOf(bit: number): readonly number[] {
    return this.#lengths[bit] as number[];
  }

  #add(key: number, before: number, set: number): void {
    const bit = key >>> (32 - FILTER_BITS);
    this.#filter[bit >>> 5] = (this.#filter[bit >>> 5] as number) | (1 << (bit & 31));
    const place = this.#placeOf(key) + before;
    this.#sets[place] = (this.#sets[place] as number) | set;
  }

  // The filter uses the first bits of the key, so that other bits decide here.
  #placeOf(key: number): number {
    return (Math.imul(key ^ (key >>> 15), GOLDEN) >>> (32 - this.#bits)) * STEP;
  }
}

/** Returns the key at a position of a text, with the characters that bits of `others` choose in the alphabet for URLs. */
function keyAt(text: string, at: number, others: number): number {
  return keyOf(
    pairOf(codeAt(text, at, others & 1), codeAt(text, at + 1, others & 2)),
    pairOf(codeAt(text, at + 2, others & 4), codeAt(text, at + 3, others & 8)),
  );
}

function codeAt(text: string, at: number, isOther: number): number {
  const code = text.charCodeAt(at);
  if (isOther === 0) return code;
  return code === PLUS ? MINUS : UNDERSCORE;
}

function pairOf(first: number, second: number): number {
  return IS_LITTLE_ENDIAN ? first | (second << 16) : second | (first << 16);
}

/** The lengths and first characters of short forms. */
export class ShortForms {
  readonly #counts = new Map<number, number>();
  readonly #firsts = new Int32Array(128);
  #lengths: readonly number[] = [];

  /** The lengths, the longest first. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Returns false if no short form begins with a character. */
  mayBeginWith(code: number): boolean {
    return this.#firsts[FOLDED[code & 127] as number] !== 0;
  }

  /** Counts one form more, or one less if `count` is -1. */
  add(first: number, length: number, count: 1 | -1): void {
    const total = (this.#counts.get(length) ?? 0) + count;
    if (total === 0) this.#counts.delete(length);
    else this.#counts.set(length, total);
    if (total === 0 || total === count) this.#lengths = [...this.#counts.keys()].sort((a, b) => b - a);
    const group = FOLDED[first & 127] as number;
    this.#firsts[group] = (this.#firsts[group] as number) + count;
  }
}
