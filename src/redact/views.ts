import { BACKSLASH, digitOf, type Units } from './characters';
import type { Matches } from './matches';

/** Decodes the escapes of JSON or of URLs. */
export interface Pass {
  readonly sign: string;
  readonly bit: number;
  /** Returns the code point of the escape at `start`, times 16, plus the length of the escape; 0 if there is none. */
  read(units: Units, length: number, start: number): number;
}

// Pairs of the letter after the backslash and its meaning, from JSON; `\'` comes from util.inspect.
const LETTERS = ['""', "''", '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'] as const;
const BY_LETTER = new Uint8Array(128);
/** A bit for each character that JSON may write as a backslash and a letter. */
const SIGNS = new Uint16Array(128);
for (const [index, pair] of LETTERS.entries()) {
  BY_LETTER[pair.charCodeAt(0)] = pair.charCodeAt(1);
  SIGNS[pair.charCodeAt(1)] = 1 << index;
}

/** Returns a bit for each character in a text that JSON may write as a backslash and a letter. */
export function signsOf(text: string): number {
  let signs = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 128) signs |= SIGNS[code] as number;
  }
  return signs;
}

const json: Pass = {
  sign: '\\',
  bit: 1,
  read(units, length, start) {
    if (start + 1 >= length) return 0;
    const letter = units[start + 1] as number;
    const meaning = letter < 128 ? (BY_LETTER[letter] as number) : 0;
    if (meaning !== 0) return (meaning << 4) | 2;
    // util.inspect writes \x1B. The letters are `u` and `x` in either case.
    const digits = (letter | 0x20) === 0x75 ? 4 : (letter | 0x20) === 0x78 ? 2 : 0;
    if (digits === 0 || start + 2 + digits > length) return 0;
    let unit = 0;
    for (let at = start + 2; at < start + 2 + digits; at += 1) {
      const digit = digitOf(units[at] as number);
      if (digit < 0) return 0;
      unit = (unit << 4) | digit;
    }
    return (unit << 4) | (digits + 2);
  },
};

const PERCENT = 0x25;
/** The lowest code point that needs one, two, three or four bytes of UTF-8. */
const LOWEST = [0, 0x80, 0x800, 0x10000] as const;

const url: Pass = {
  sign: '%',
  bit: 2,
  read(units, length, start) {
    const first = encodedByte(units, length, start);
    if (first < 0 || (first >= 0x80 && first < 0xc0) || first >= 0xf8) return 0;
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let point = more === 0 ? first : first & (0x3f >> more);
    for (let index = 1; index <= more; index += 1) {
      const byte = encodedByte(units, length, start + index * 3);
      if (byte < 0 || byte >> 6 !== 2) return 0;
      point = (point << 6) | (byte & 0x3f);
    }
    const isInvalid =
      point < (LOWEST[more] as number) || point > 0x10ffff || (point >= 0xd800 && point < 0xe000);
    return ((isInvalid ? 0xfffd : point) << 4) | (more * 3 + 3);
  },
};

/** Returns the byte that `%` and two digits write, or -1. */
function encodedByte(units: Units, length: number, start: number): number {
  if (start + 2 >= length || units[start] !== PERCENT) return -1;
  const high = digitOf(units[start + 1] as number);
  const low = digitOf(units[start + 2] as number);
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

/** JSON nested three times, which contains a URL, perhaps nested in another URL, which contains JSON again. */
export const PASSES: readonly Pass[] = [json, json, json, url, url, json, json];

/**
 * Decodes a text as its readers would. Encoders differ in what they escape, but decoding always gives the same result. Returns
 * nothing if the text has no escapes, or only those that no value contains, usually `\"` and `\n`.
 *
 * @param room Returns the memory to write the decoded text into.
 * @param signs The signs that values contain. A backslash may start a nested escape, and a number may encode any character.
 */
export function decode(
  pass: Pass,
  units: Units,
  length: number,
  room: () => Units,
  signs: number,
): { readonly units: Units; readonly length: number } | undefined {
  if (!hasRelevant(pass, units, length, signs)) return undefined;
  const first = pass.sign.charCodeAt(0);
  const to = room();
  let size = 0;
  for (let at = 0; at < length; size += 1) {
    const unit = units[at] as number;
    const found = unit === first ? pass.read(units, length, at) : 0;
    const point = found === 0 ? unit : found >> 4;
    at += found === 0 ? 1 : found & 15;
    if (point > 0xffff) {
      to[size] = 0xd800 + ((point - 0x10000) >> 10);
      size += 1;
    }
    to[size] = point > 0xffff ? 0xdc00 + (point & 0x3ff) : point;
  }
  return { units: to, length: size };
}

/** Returns true if a text has an escape that a value may need. */
function hasRelevant(pass: Pass, units: Units, length: number, signs: number): boolean {
  const first = pass.sign.charCodeAt(0);
  for (let at = 0; at < length; at += 1) {
    if (units[at] !== first) continue;
    const found = pass.read(units, length, at);
    if (found === 0) continue;
    const isLetter = pass === json && (found & 15) === 2 && found >> 4 !== BACKSLASH;
    if (!isLetter || (signs & (SIGNS[found >> 4] as number)) !== 0) return true;
    at += (found & 15) - 1;
  }
  return false;
}

/**
 * Changes matches in a decoded text to those in the text as it is written, which is `units`.
 *
 * @param starts Room for the start of each decoded unit.
 */
export function mapToWritten(
  pass: Pass,
  units: Units,
  length: number,
  matches: Matches,
  starts: Int32Array,
): void {
  const first = pass.sign.charCodeAt(0);
  let size = 0;
  for (let at = 0; at < length; size += 1) {
    const found = units[at] === first ? pass.read(units, length, at) : 0;
    starts[size] = at;
    if (found >> 4 > 0xffff) {
      size += 1;
      starts[size] = at;
    }
    at += found === 0 ? 1 : found & 15;
  }
  starts[size] = length;
  matches.map(starts);
}
