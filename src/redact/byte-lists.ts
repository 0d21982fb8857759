import { digitAt, isSpace } from './characters';
import type { RankOf } from './form-table';
import { LongValues } from './long-values';
import type { Finder, Match } from './mask';

/** Enough to identify a value. `inspect` shows 50 bytes of a Buffer, and 100 of other lists. */
const KEY_BYTES = 16;
/** Fewer numbers may be an ordinary list. */
const MIN_NUMBERS = 6;

// A list of numbers, perhaps with the keys that JSON writes for a Uint8Array; bytes in hex between separators.
const LISTS = [
  {
    start: /(?<![\w.])\d{1,3}(?:\s*,\s*(?:"\d+"\s*:\s*)?\d{1,3}(?![\w.])){5}/g,
    radix: 10,
    least: MIN_NUMBERS,
  },
  {
    start: /(?<![\da-z])(?:0x)?[\da-f]{2}(?:(?:[ :-]|,\s*0x)[\da-f]{2}(?![\da-z])){2}/gi,
    radix: 16,
    least: 3,
  },
] as const;

interface List {
  /** Two digits for each byte. */
  readonly hex: string;
  /** The start and the end of each number in the text. */
  readonly places: readonly number[];
  readonly least: number;
}

interface Group {
  readonly beginning: number;
  readonly owners: { readonly bytes: Uint8Array; readonly name: string }[];
}

/** Finds bytes that are written as a list of numbers or as separated hex, whole or truncated. */
export class ByteLists implements Finder {
  readonly #groups = new Map<string, Group>();
  readonly #beginnings: LongValues;
  readonly #rankOf: RankOf;

  constructor(rankOf: RankOf) {
    this.#beginnings = new LongValues(rankOf);
    this.#rankOf = rankOf;
  }

  add(bytes: Uint8Array, name: string): void {
    const key = keyOf(bytes);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { beginning: this.#beginnings.add({ text: key, least: key.length }, key), owners: [] };
      this.#groups.set(key, group);
    }
    group.owners.push({ bytes, name });
  }

  remove(bytes: Uint8Array, name: string): void {
    const key = keyOf(bytes);
    const { beginning, owners } = this.#groups.get(key) as Group;
    owners.splice(
      owners.findIndex((one) => one.bytes === bytes && one.name === name),
      1,
    );
    if (owners.length > 0) return;
    this.#groups.delete(key);
    this.#beginnings.remove(beginning);
  }

  find(text: string): readonly Match[] {
    if (this.#groups.size === 0) return [];
    const found: Match[] = [];
    for (const { hex, places, least } of listsOf(text)) {
      for (const { start, end, name: key } of this.#beginnings.find(hex)) {
        const first = start >> 1;
        let best = { count: 0, name: '' };
        for (const { bytes, name } of this.#groups.get(key)?.owners ?? []) {
          const count = Math.max(equalBytes(hex, start, bytes), (end >> 1) - first);
          if (count > best.count || (count === best.count && this.#rankOf(name) < this.#rankOf(best.name))) {
            best = { count, name };
          }
        }
        // Half of one byte and half of the next are not a byte.
        if (start % 2 > 0 || best.count < least) continue;
        const last = first + best.count - 1;
        found.push({ start: places[start] as number, end: places[last * 2 + 1] as number, name: best.name });
      }
    }
    return found;
  }
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, KEY_BYTES)).toString('hex');
}

function equalBytes(hex: string, start: number, bytes: Uint8Array): number {
  let count = 0;
  for (let at = start; count < bytes.length; at += 2, count += 1) {
    const byte = (digitAt(hex, at) << 4) | digitAt(hex, at + 1);
    if (byte !== bytes[count]) break;
  }
  return count;
}

function listsOf(text: string): List[] {
  const lists: List[] = [];
  // Shared by all lists, each of which takes its part.
  let digits: Buffer | undefined;
  for (const { start, radix, least } of LISTS) {
    start.lastIndex = 0;
    let from = 0;
    let to = 0;
    for (let begin = start.exec(text); begin !== null; begin = start.exec(text)) {
      digits ??= Buffer.allocUnsafe(text.length + 2);
      const places: number[] = [];
      for (let at = begin.index; at >= 0; ) {
        if (radix === 16 && isPrefix(text, at)) at += 2;
        const end = endOfNumber(text, at, radix);
        if (end === at) break;
        places.push(at, end);
        to = writeByte(digits, to, text, at, end, radix);
        start.lastIndex = end;
        at = afterSeparator(text, end, radix);
      }
      lists.push({ hex: digits.toString('latin1', from, to), places, least });
      from = to;
    }
  }
  return lists;
}

function isPrefix(text: string, at: number): boolean {
  return text.charCodeAt(at) === 0x30 && (text.charCodeAt(at + 1) | 0x20) === 0x78;
}

/** Returns the end of the byte in hex, or of the number of up to three digits, or `start` if there is none. */
function endOfNumber(text: string, start: number, radix: 10 | 16): number {
  let end = start;
  const longest = radix === 16 ? 2 : 3;
  while (end - start < longest && isDigit(text.charCodeAt(end), radix)) end += 1;
  if (end === start || (radix === 16 && end - start < 2)) return start;
  const next = text.charCodeAt(end);
  const goesOn = isDigit(next, 10) || isLetter(next) || (radix === 10 && (next === 0x2e || next === 0x5f));
  return goesOn ? start : end;
}

/** Returns the start of the next number of a list, or -1 if it ends. */
function afterSeparator(text: string, position: number, radix: 10 | 16): number {
  const sign = text.charCodeAt(position);
  if (radix === 16 && (sign === 0x20 || sign === 0x3a || sign === 0x2d)) return position + 1;
  let at = radix === 16 ? position : afterSpaces(text, position);
  if (text.charCodeAt(at) !== 0x2c) return -1;
  at = afterSpaces(text, at + 1);
  if (radix === 16) return isPrefix(text, at) ? at : -1;
  if (text.charCodeAt(at) === 0x22) {
    at += 1;
    while (isDigit(text.charCodeAt(at), 10)) at += 1;
    if (text.charCodeAt(at) !== 0x22) return -1;
    at = afterSpaces(text, at + 1);
    if (text.charCodeAt(at) !== 0x3a) return -1;
    at = afterSpaces(text, at + 1);
  }
  return isDigit(text.charCodeAt(at), 10) ? at : -1;
}

function afterSpaces(text: string, position: number): number {
  let at = position;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

function writeByte(
  digits: Buffer,
  to: number,
  text: string,
  start: number,
  end: number,
  radix: 10 | 16,
): number {
  let number = 0;
  for (let at = start; at < end; at += 1) number = number * radix + digitAt(text, at);
  // Above 255 it is not a byte, so it equals none.
  digits[to] = number > 255 ? 0x2d : HEX.charCodeAt(number >> 4);
  digits[to + 1] = number > 255 ? 0x2d : HEX.charCodeAt(number & 15);
  return to + 2;
}

const HEX = '0123456789abcdef';

function isDigit(code: number, radix: 10 | 16): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (radix === 16 && lower >= 0x61 && lower <= 0x66);
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}
