import {
  BACKSLASH,
  beforeSpaces,
  COLON,
  codesOf,
  digitOf,
  isDigit,
  isLetter,
  isSpace,
  QUOTE,
  type Units,
} from './characters';
import type { Matches } from './matches';
import { Output } from './output';

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const LINE_END = 0x0a;
const PERCENT = 0x25;
const LETTER_U = 0x75;
const LETTER_X = 0x78;

const OBJECT_OR_ARRAY = /^\s*(?:[{[][{[\s]*["}\]]|\[[[\s]*(?:null|true|false|-?\d[\d.eE+-]*)\s*[,\]])/;
// A number is JSON too.
const ONLY_NUMBERS = /^\s*-?\d[\s\d.eE+-]*$/;
const BEFORE_KEYS = codesOf('{,');
const BEFORE_VALUES = codesOf('[{,:');
/** What separates the words of a key that is a name. */
const WORD_ENDS = codesOf(' _./:-');
const MAX_NAME = 64;
const MAX_SPACES = 8;
// \u00e9
const LONGEST_ESCAPE = 6;

/**
 * Replaces each match with `[secret name]`. Matches that overlap become one, with the name of the first, or of the longest of
 * those with the same start. A line of JSON stays valid JSON: a masked number becomes a string, and keys that are names stay.
 *
 * @param units The characters of `text`.
 */
export function mask(
  text: string,
  units: Units,
  matches: Matches,
  nameOf: (owner: number) => string,
): string {
  const { length } = text;
  const isJson = OBJECT_OR_ARRAY.test(text);
  const hasEscapes = isJson && text.includes('\\');
  const isNumbers = ONLY_NUMBERS.test(text);
  const count = backslashCounter(units);
  const starts = new Strings(units, length);
  const ends = new Strings(units, length);
  const output = new Output(units, length, nameOf);
  let first = -1;
  let last = -1;
  let secret = 0;
  let quote = NO_QUOTE;
  let isInside = true;
  const write = () => {
    // If the value contains the first or last quote of a string, the other quote needs a new counterpart.
    const isBalanced = (!isJson || ends.contains(last)) === isInside;
    output.mask(first, last, secret, quote, isBalanced ? quote : isInside ? 0 : NO_QUOTE);
  };
  for (let index = 0; index < matches.size; index += 1) {
    let start = matches.startOf(index);
    let end = matches.endOf(index);
    if (hasEscapes) {
      // A half escape would form another escape together with the mask.
      start = startOfEscape(units, start, count);
      end = endOfEscape(units, end, count);
    }
    // Most matches were found in several views.
    if (end <= last) continue;
    const inside = !isJson || starts.contains(start);
    if (isJson && inside && starts.isInName(end)) continue;
    const opening = isNumbers ? 0 : openingQuote(units, start, isJson, inside, count);
    if ((!inside || opening !== NO_QUOTE) && isPartOfNumber(units, length, start, end)) continue;
    if (start < last) {
      last = end;
      continue;
    }
    if (first >= 0) write();
    first = start;
    last = end;
    secret = matches.ownerOf(index);
    quote = opening;
    isInside = inside;
  }
  if (first >= 0) write();
  return output.finish();
}

const NO_QUOTE = -1;

/**
 * Returns the number of backslashes before the quote that a mask needs outside a string: in JSON, and after a key such as
 * `"pin":`. In nested JSON, the quote has the same backslashes as the quote of the key. Returns `NO_QUOTE` if it needs none.
 */
function openingQuote(
  units: Units,
  position: number,
  isJson: boolean,
  inside: boolean,
  count: Counter,
): number {
  const at = beforeSpaces(units, 0, position);
  const sign = at > 0 ? (units[at - 1] as number) : 0;
  if (!inside) return BEFORE_VALUES.includes(sign) ? 0 : NO_QUOTE;
  if (sign !== COLON) return NO_QUOTE;
  const key = beforeSpaces(units, 0, at - 1);
  if (key === 0 || units[key - 1] !== QUOTE) return NO_QUOTE;
  const backslashes = count(key - 1);
  // Inside a JSON string, a quote without backslashes starts that string. It does not end a key.
  return isJson && backslashes === 0 ? NO_QUOTE : backslashes;
}

/** Returns true if the match is part of a longer number, such as a time. */
function isPartOfNumber(units: Units, length: number, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (!isOfNumbers(units[at] as number)) return false;
  if (goesOnAsNumber(units, length, end)) return true;
  if (start === 0) return false;
  const before = units[start - 1] as number;
  return (isDigit(before) || before === MINUS || before === POINT) && !isAfterEscape(units, start);
}

/** Returns true for digits, `e`, and `-+.,":`. */
function isOfNumbers(code: number): boolean {
  if (isDigit(code) || (code | 0x20) === 0x65) return true;
  return (code >= PLUS && code <= POINT) || code === QUOTE || code === COLON;
}

/** Returns true if a digit follows, perhaps after a point, or an exponent. */
function goesOnAsNumber(units: Units, length: number, end: number): boolean {
  const at = (position: number) => (position < length ? (units[position] as number) : 0);
  const code = at(end);
  if (isDigit(code)) return true;
  const next = at(end + 1);
  if (code === POINT) return isDigit(next);
  if ((code | 0x20) !== 0x65) return false;
  return isDigit(next) || ((next === PLUS || next === MINUS) && isDigit(at(end + 2)));
}

/** Returns true after `%22`, `\x22` and `\u0022`. */
function isAfterEscape(units: Units, position: number): boolean {
  const isHex = (from: number, to: number): boolean => {
    for (let at = from; at < to; at += 1) if (at < 0 || digitOf(units[at] as number) < 0) return false;
    return true;
  };
  if (!isHex(position - 2, position)) return false;
  const isLetterAt = (at: number, letter: number) =>
    at > 0 && ((units[at] as number) | 0x20) === letter && units[at - 1] === BACKSLASH;
  return (
    units[position - 3] === PERCENT ||
    isLetterAt(position - 3, LETTER_X) ||
    (isHex(position - 4, position - 2) && isLetterAt(position - 5, LETTER_U))
  );
}

/** The strings of a line of JSON. Positions must increase. */
class Strings {
  readonly #units: Units;
  readonly #length: number;
  #at = 0;
  #isInside = false;
  #isEscaped = false;
  /** The last quote that is not escaped. */
  #quote = -1;
  /** The quote before the last string that may be a name, and the end of the name, or -1. */
  #nameQuote = -1;
  #nameEnd = -1;

  constructor(units: Units, length: number) {
    this.#units = units;
    this.#length = length;
  }

  /** Returns true if a position is inside a string. */
  contains(position: number): boolean {
    for (; this.#at < position; this.#at += 1) {
      const code = this.#units[this.#at] as number;
      if (code === QUOTE && !this.#isEscaped) {
        this.#isInside = !this.#isInside;
        this.#quote = this.#at;
      }
      // A JSON string never spans lines, so a stray quote in one line does not affect the next.
      if (code === LINE_END) this.#isInside = false;
      this.#isEscaped = this.#isInside && code === BACKSLASH && !this.#isEscaped;
    }
    return this.#isInside;
  }

  /** Returns true if the last position and `end` are in the same key of JSON, and it is a name. */
  isInName(end: number): boolean {
    if (this.#nameQuote !== this.#quote) {
      this.#nameQuote = this.#quote;
      this.#nameEnd = this.#endOfName();
    }
    return end <= this.#nameEnd;
  }

  /** Returns the end of the name that the current string is, or -1. */
  #endOfName(): number {
    const units = this.#units;
    const before = beforeSpaces(units, 0, this.#quote);
    if (before === 0 || !BEFORE_KEYS.includes(units[before - 1] as number)) return -1;
    const end = endOfWords(units, Math.min(this.#length, this.#quote + MAX_NAME + 1), this.#quote + 1);
    if (end < 0 || end >= this.#length || units[end] !== QUOTE) return -1;
    let after = end + 1;
    while (after <= end + MAX_SPACES && after < this.#length && isSpace(units[after] as number)) after += 1;
    return after < this.#length && units[after] === COLON ? end : -1;
  }
}

/** Returns the end of words with up to two digits at their ends. A random token as a key is masked. */
function endOfWords(units: Units, length: number, start: number): number {
  let at = start;
  while (at < length) {
    const word = at;
    while (at < length && isLetter(units[at] as number)) at += 1;
    if (at === word) return at > start ? at : -1;
    for (let digits = 0; digits < 2 && at < length && isDigit(units[at] as number); digits += 1) at += 1;
    if (at === length || !WORD_ENDS.includes(units[at] as number)) return at;
    at += 1;
  }
  return at;
}

/** Returns the start of the escape that contains `position`, or `position` if there is none. */
function startOfEscape(units: Units, position: number, count: Counter): number {
  for (let start = position - 1; start > position - LONGEST_ESCAPE && start >= 0; start -= 1) {
    if (units[start] !== BACKSLASH) continue;
    return start + lengthOfEscape(units, start) > position && count(start) % 2 === 0 ? start : position;
  }
  return position;
}

function endOfEscape(units: Units, position: number, count: Counter): number {
  const start = startOfEscape(units, position, count);
  return start === position ? position : start + lengthOfEscape(units, start);
}

function lengthOfEscape(units: Units, start: number): number {
  return units[start + 1] === LETTER_U ? LONGEST_ESCAPE : 2;
}

/** Counts the backslashes directly before a position. An odd number means that the character there is escaped. */
type Counter = (position: number) => number;

function backslashCounter(units: Units): Counter {
  // The last run, because a long one may be counted from many positions.
  let start = 0;
  let end = 0;
  return (position) => {
    if (position > start && position <= end) return position - start;
    let at = position;
    while (at > 0 && units[at - 1] === BACKSLASH) at = at === end && start < end ? start : at - 1;
    if (at === position) return 0;
    start = at;
    end = position;
    return position - at;
  };
}
