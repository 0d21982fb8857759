import { afterSpaces, COLON, digitOf, isDigit, isLetter, isOfWord, QUOTE, type Units } from './characters';
import { Matches } from './matches';

/** Enough to identify a value. `inspect` shows 50 bytes of a Buffer, and 100 of other lists. */
export const KEY_BYTES = 16;
/** Private characters, which stand for the high and the low half of a byte in a list. */
const HIGH = 0xe000;
const LOW = 0xe010;
const NO_BYTE = 0xe020;

const COMMA = 0x2c;
const POINT = 0x2e;
const MINUS = 0x2d;
const SPACE = 0x20;

/** Lists of numbers, perhaps with the keys that JSON writes for a Uint8Array; or of bytes in hex between separators. */
type Radix = 10 | 16;

/** Fewer numbers may be an ordinary list. */
const LEAST: Readonly<Record<Radix, number>> = { 10: 6, 16: 3 };

const DIGIT = 1;
/** Also `DIGIT`. */
const HEX = 2;
/** A letter or a digit. */
const OF_WORD = 4;
/** What a number in decimal does not follow. */
const NOT_BEFORE_DECIMAL = 8;
/** What may follow a byte in hex within a list. */
const AFTER_HEX = 16;
const KINDS = Uint8Array.from(
  { length: 128 },
  (_, code) =>
    (isDigit(code) ? DIGIT : 0) |
    (digitOf(code) >= 0 ? HEX : 0) |
    (isLetter(code) || isDigit(code) ? OF_WORD : 0) |
    (isOfWord(code) || code === POINT ? NOT_BEFORE_DECIMAL : 0) |
    ([SPACE, COLON, MINUS, COMMA].includes(code) ? AFTER_HEX : 0),
);

/** Finds the lists in a text, for each notation those of all its lists together. */
export function byteListsOf(units: Units, length: number): ByteLists[] {
  const decimal = new ByteLists(10);
  const hex = new ByteLists(16);
  let before = 0;
  for (let at = 0; at < length; at += 1) {
    const code = units[at] as number;
    const kind = code < 128 ? (KINDS[code] as number) : 0;
    if ((kind & HEX) !== 0) {
      if ((before & OF_WORD) === 0 && at >= hex.end && mayBeHex(units, length, at)) {
        hex.addAt(units, length, at);
      }
      if ((kind & DIGIT) !== 0 && (before & NOT_BEFORE_DECIMAL) === 0 && at >= decimal.end) {
        decimal.addAt(units, length, at);
      }
    }
    before = kind;
  }
  return [decimal, hex].filter(({ size }) => size > 0);
}

/** The numbers of all lists in a text in one notation. */
export class ByteLists {
  /** Two for each number, and for each end of a list. */
  units: Units = NONE;
  size = 0;
  /** The end of the last list, even of one that is too short. */
  end = 0;
  readonly #radix: Radix;
  /** The start and the end of each number in the text. */
  #places: Int32Array = new Int32Array(0);

  constructor(radix: Radix) {
    this.#radix = radix;
  }

  /** Adds the list at a position, if there is one. */
  addAt(units: Units, length: number, start: number): void {
    const radix = this.#radix;
    const isHex = radix === 16;
    let at = start;
    if (isHex && isPrefix(units, at)) at += 2;
    const before = this.size;
    let last = start;
    for (;;) {
      const end = endOfNumber(units, length, at, radix);
      if (end === at) break;
      const next = afterSeparator(units, length, end, radix);
      if (next < 0 && last === start) break;
      this.#addNumber(units, at, end);
      last = end;
      if (next < 0) break;
      at = isHex && isPrefix(units, next) ? next + 2 : next;
    }
    if (last > start) this.end = last;
    if ((this.size - before) >> 1 < LEAST[radix]) this.size = before;
    else this.#add(NO_BYTE, NO_BYTE, last, last);
  }

  /** Returns the places in the text of matches in the lists, without those of few numbers. */
  written(matches: Matches): Matches {
    const written = new Matches();
    for (let index = 0; index < matches.size; index += 1) {
      const start = matches.startOf(index);
      // Half a byte may be equal, too.
      const end = matches.endOf(index) & ~1;
      if ((end - start) / 2 < LEAST[this.#radix]) continue;
      written.add(this.#places[start] as number, this.#places[end - 1] as number, matches.ownerOf(index));
    }
    return written;
  }

  #addNumber(units: Units, start: number, end: number): void {
    let number = 0;
    for (let at = start; at < end; at += 1) number = number * this.#radix + digitOf(units[at] as number);
    if (number > 255) this.#add(NO_BYTE, NO_BYTE, start, end);
    else this.#add(HIGH + (number >> 4), LOW + (number & 15), start, end);
  }

  #add(high: number, low: number, start: number, end: number): void {
    const at = this.size;
    if (at === this.units.length) {
      const { units } = this;
      const places = this.#places;
      this.units = new Uint16Array(Math.max(at * 2, FIRST_SIZE));
      this.units.set(units);
      this.#places = new Int32Array(this.units.length);
      this.#places.set(places);
    }
    this.units[at] = high;
    this.units[at + 1] = low;
    this.#places[at] = start;
    this.#places[at + 1] = end;
    this.size += 2;
  }
}

const FIRST_SIZE = 64;
const NONE: Units = new Uint16Array(0);

/** Returns bytes in the characters that stand for them in lists. */
export function asList(bytes: Uint8Array): string {
  const units = new Uint16Array(bytes.length * 2);
  for (let at = 0; at < bytes.length; at += 1) {
    units[at * 2] = HIGH + ((bytes[at] as number) >> 4);
    units[at * 2 + 1] = LOW + ((bytes[at] as number) & 15);
  }
  return Buffer.from(units.buffer).toString('utf16le');
}

/** Returns false for most words that begin like a number in hex. */
function mayBeHex(units: Units, length: number, at: number): boolean {
  const after = at + 2 + (isPrefix(units, at) ? 2 : 0);
  if (after >= length) return false;
  const code = units[after] as number;
  return code < 128 && ((KINDS[code] as number) & AFTER_HEX) !== 0;
}

function isPrefix(units: Units, at: number): boolean {
  return units[at] === 0x30 && ((units[at + 1] as number) | 0x20) === 0x78;
}

/** Returns the end of the byte in hex, or of the number of up to three digits, or `start` if there is none. */
function endOfNumber(units: Units, length: number, start: number, radix: Radix): number {
  let end = start;
  const longest = Math.min(start + (radix === 16 ? 2 : 3), length);
  while (
    end < longest &&
    (radix === 16 ? digitOf(units[end] as number) >= 0 : isDigit(units[end] as number))
  ) {
    end += 1;
  }
  if (end === start || (radix === 16 && end - start < 2)) return start;
  if (end === length) return end;
  const next = units[end] as number;
  const goesOn = radix === 16 ? isDigit(next) || isLetter(next) : isOfWord(next) || next === POINT;
  return goesOn ? start : end;
}

/** Returns the start of the next number of a list, or -1 if it ends. */
function afterSeparator(units: Units, length: number, position: number, radix: Radix): number {
  if (position === length) return -1;
  const sign = units[position];
  if (radix === 16 && (sign === SPACE || sign === COLON || sign === MINUS)) return position + 1;
  let at = radix === 16 ? position : afterSpaces(units, length, position);
  if (at === length || units[at] !== COMMA) return -1;
  at = afterSpaces(units, length, at + 1);
  if (radix === 16) return at < length && isPrefix(units, at) ? at : -1;
  if (at < length && units[at] === QUOTE) {
    at += 1;
    while (at < length && isDigit(units[at] as number)) at += 1;
    if (at === length || units[at] !== QUOTE) return -1;
    at = afterSpaces(units, length, at + 1);
    if (at === length || units[at] !== COLON) return -1;
    at = afterSpaces(units, length, at + 1);
  }
  return at < length && isDigit(units[at] as number) ? at : -1;
}
