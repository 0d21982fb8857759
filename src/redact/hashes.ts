import { SLASH, type Units } from './characters';

/** The length of the longest part that has a hash. */
export const MAX_LENGTH = 1536;

const BASE = 0x01000193;
/** `BASE` to the power of each length, modulo 2 ** 32. */
export const POWERS: Int32Array = new Int32Array(MAX_LENGTH + 1);
POWERS[0] = 1;
for (let at = 1; at <= MAX_LENGTH; at += 1) POWERS[at] = Math.imul(POWERS[at - 1] as number, BASE);

const PLUS = 0x2b;
const MINUS = 0x2d;
const UNDERSCORE = 0x5f;
/** The ASCII characters, in the same alphabet of base64. */
export const FOLDED: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => code);
FOLDED[MINUS] = PLUS;
FOLDED[UNDERSCORE] = SLASH;

/** Returns the hash of a part of a text. */
export function hashOf(text: string, start: number, length: number): number {
  let hash = 0;
  for (let at = start; at < start + length; at += 1) hash = withNext(hash, text.charCodeAt(at));
  return hash;
}

function withNext(hash: number, code: number): number {
  return (Math.imul(hash, BASE) + (code < 128 ? (FOLDED[code] as number) : code)) | 0;
}

/** The hashes of parts of a text, each in the same time, whatever its length. */
export class Hashes {
  readonly #units: Units;
  /** The hash of the text from some position to each of those up to `#end`. */
  readonly #all: Int32Array;
  #end = -1;

  /** @param room Memory for a number for each position of the text, and for its end. */
  constructor(units: Units, room: Int32Array) {
    this.#units = units;
    this.#all = room;
  }

  /**
   * Returns the hash of a part.
   *
   * @param first No part that is asked for later begins before this position.
   */
  of(start: number, end: number, first: number = start): number {
    const all = this.#all;
    if (end > this.#end) this.#addUpTo(first, end);
    return ((all[end] as number) - Math.imul(all[start] as number, POWERS[end - start] as number)) | 0;
  }

  #addUpTo(first: number, end: number): void {
    const units = this.#units;
    const all = this.#all;
    let at = this.#end;
    if (first > at) {
      at = first;
      all[at] = 0;
    }
    let hash = all[at] as number;
    for (; at < end; at += 1) {
      hash = withNext(hash, units[at] as number);
      all[at + 1] = hash;
    }
    this.#end = end;
  }
}

/** Returns true if a unit is equal to one of a form, perhaps in the alphabet of base64 for URLs. */
export function isSame(unit: number, own: number, inUrl: boolean | undefined): boolean {
  if (unit === own) return true;
  return inUrl === true && ((unit === MINUS && own === PLUS) || (unit === UNDERSCORE && own === SLASH));
}

/** Returns true if `length` characters of two texts are equal. */
export function isEqual(
  one: string,
  oneStart: number,
  other: string,
  otherStart: number,
  length: number,
): boolean {
  for (let at = 0; at < length; at += 1) {
    if (one.charCodeAt(oneStart + at) !== other.charCodeAt(otherStart + at)) return false;
  }
  return true;
}
