import { type Find, longForm, longValues } from './find-values';
import type { Match } from './mask';

/** Enough to identify a value. `inspect` shows 50 bytes of a Buffer, and 100 of other lists. */
const KEY_BYTES = 16;
/** Fewer numbers may be an ordinary list. */
const MIN_NUMBERS = 6;

// A list of numbers, perhaps with the keys that JSON writes for a Uint8Array; bytes in hex between separators.
const LISTS = [
  {
    start: /(?<![\w.])\d{1,3}(?:\s*,\s*(?:"\d+"\s*:\s*)?\d{1,3}(?![\w.])){5}/g,
    item: /(\d{1,3})(?![\w.])(?:\s*,\s*(?:"\d+"\s*:\s*)?(?=\d))?/y,
    radix: 10,
    least: MIN_NUMBERS,
  },
  {
    start: /(?<![\da-z])(?:0x)?[\da-f]{2}(?:(?:[ :-]|,\s*0x)[\da-f]{2}(?![\da-z])){2}/gi,
    item: /(?:0x)?([\da-f]{2})(?![\da-z])(?:[ :-](?=[\da-f]{2}(?![\da-z]))|,\s*(?=0x))?/iy,
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

/** Finds bytes that are written as a list of numbers or as separated hex, whole or truncated. */
export function byteLists(values: readonly (readonly [bytes: Uint8Array, name: string])[]): Find {
  if (values.length === 0) return () => [];
  const owners = new Map<string, { readonly bytes: Uint8Array; readonly name: string }[]>();
  for (const [bytes, name] of values) {
    const key = Buffer.from(bytes.subarray(0, KEY_BYTES)).toString('hex');
    const list = owners.get(key);
    if (list === undefined) owners.set(key, [{ bytes, name }]);
    else list.push({ bytes, name });
  }
  const find = longValues(Array.from(owners.keys(), (key) => [longForm(key), key] as const));

  return (text) => {
    const found: Match[] = [];
    for (const { hex, places, least } of listsOf(text)) {
      for (const { start, end, name: key } of find(hex)) {
        const first = start >> 1;
        let best = { count: 0, name: '' };
        for (const { bytes, name } of owners.get(key) ?? []) {
          const count = Math.max(equalBytes(hex, start, bytes), (end >> 1) - first);
          if (count > best.count) best = { count, name };
        }
        // Half of one byte and half of the next are not a byte.
        if (start % 2 > 0 || best.count < least) continue;
        const last = first + best.count - 1;
        found.push({ start: places[start] as number, end: places[last * 2 + 1] as number, name: best.name });
      }
    }
    return found;
  };
}

function equalBytes(hex: string, start: number, bytes: Uint8Array): number {
  let count = 0;
  while (count < bytes.length && Number.parseInt(hex.substr(start + count * 2, 2), 16) === bytes[count])
    count += 1;
  return count;
}

function listsOf(text: string): List[] {
  const lists: List[] = [];
  for (const { start, item, radix, least } of LISTS) {
    start.lastIndex = 0;
    for (let begin = start.exec(text); begin !== null; begin = start.exec(text)) {
      const places: number[] = [];
      const digits: string[] = [];
      item.lastIndex = begin.index;
      for (let next = item.exec(text); next !== null; next = item.exec(text)) {
        const at = next[0].startsWith('0x') ? next.index + 2 : next.index;
        const number = next[1] as string;
        places.push(at, at + number.length);
        digits.push(inHex(Number.parseInt(number, radix)));
        start.lastIndex = item.lastIndex;
        if (/[\da-f]$/i.test(next[0])) break;
      }
      lists.push({ hex: digits.join(''), places, least });
    }
  }
  return lists;
}

function inHex(number: number): string {
  // Not a byte, so it equals none.
  return number > 255 ? '--' : number.toString(16).padStart(2, '0');
}
