import { digitAt } from './characters';

/** A text with some escapes decoded, and a map from its positions to those in the original text. */
export interface View {
  readonly text: string;
  writtenAt(position: number): number;
}

interface Escapes {
  readonly sign: string;
  /** Returns the code point of the escape at `start`, times 16, plus the length of the escape; 0 if there is none. */
  read(text: string, start: number): number;
}

// Pairs of the letter after the backslash and its meaning, from JSON; `\'` comes from util.inspect.
const LETTERS = ['""', "''", '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'] as const;
const BY_LETTER = new Uint8Array(128);
for (const pair of LETTERS) BY_LETTER[pair.charCodeAt(0)] = pair.charCodeAt(1);

const json: Escapes = {
  sign: '\\',
  read(text, start) {
    const letter = text.charCodeAt(start + 1);
    const meaning = BY_LETTER[letter];
    if (meaning) return (meaning << 4) | 2;
    // util.inspect writes \x1B. The letters are `u` and `x` in either case.
    const digits = (letter | 0x20) === 0x75 ? 4 : (letter | 0x20) === 0x78 ? 2 : 0;
    if (digits === 0) return 0;
    let unit = 0;
    for (let at = start + 2; at < start + 2 + digits; at += 1) {
      const digit = digitAt(text, at);
      if (digit < 0) return 0;
      unit = (unit << 4) | digit;
    }
    return (unit << 4) | (digits + 2);
  },
};

// The UTF-8 bytes of one character.
const ENCODED =
  /%(?:[0-7][0-9a-f]|[cd][0-9a-f]%[89ab][0-9a-f]|e[0-9a-f](?:%[89ab][0-9a-f]){2}|f[0-7](?:%[89ab][0-9a-f]){3})/i;
/** The lowest code point that needs one, two, three or four bytes. */
const LOWEST = [0, 0x80, 0x800, 0x10000] as const;

const url: Escapes = {
  sign: '%',
  read(text, start) {
    const first = encodedByte(text, start);
    if (first < 0 || (first >= 0x80 && first < 0xc0) || first >= 0xf8) return 0;
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let point = more === 0 ? first : first & (0x3f >> more);
    for (let index = 1; index <= more; index += 1) {
      const byte = encodedByte(text, start + index * 3);
      if (byte < 0 || byte >> 6 !== 2) return 0;
      point = (point << 6) | (byte & 0x3f);
    }
    const isInvalid =
      point < (LOWEST[more] as number) || point > 0x10ffff || (point >= 0xd800 && point < 0xe000);
    return ((isInvalid ? 0xfffd : point) << 4) | (more * 3 + 3);
  },
};

/** Returns the byte that `%` and two digits write, or -1. */
function encodedByte(text: string, start: number): number {
  if (text.charCodeAt(start) !== 0x25) return -1;
  const high = digitAt(text, start + 1);
  const low = digitAt(text, start + 2);
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

/** Characters that JSON may write as a backslash and a letter. */
export const SIGNS: readonly string[] = LETTERS.map((pair) => pair.charAt(1));

/**
 * Returns a function that decodes a text step by step, as its readers would. Encoders differ in what they escape, but
 * decoding always gives the same result. The first view is the original text. Most texts have only that view: they contain no
 * escapes, or only escapes that no value contains, usually `\"` and `\n`.
 *
 * @param signs The characters of `SIGNS` that values contain.
 */
export function viewsFor(signs: ReadonlySet<string>): (text: string) => readonly View[] {
  const letters = LETTERS.filter((pair) => pair !== '\\\\' && signs.has(pair.charAt(1)));
  // A backslash may start a nested escape, and a number may encode any character.
  const inJson = new RegExp(`\\\\[\\\\ux${letters.map((pair) => pair.charAt(0)).join('')}]`);
  // JSON nested three times, which contains a URL, perhaps nested in another URL, which contains JSON again.
  const passes = [
    { escapes: json, relevant: inJson, depth: 3 },
    { escapes: url, relevant: ENCODED, depth: 2 },
    { escapes: json, relevant: inJson, depth: 2 },
  ];
  return (text) => {
    let view: View = { text, writtenAt: (position) => position };
    const views = [view];
    for (const { escapes, relevant, depth } of passes) {
      for (let level = 0; level < depth; level += 1) {
        if (!view.text.includes(escapes.sign) || !relevant.test(view.text)) break;
        view = without(escapes, view);
        views.push(view);
      }
    }
    return views;
  };
}

const scratch = new Uint16Array(32_768);

function without(escapes: Escapes, view: View): View {
  const { text } = view;
  const units = text.length <= scratch.length ? scratch : new Uint16Array(text.length);
  const length = decode(escapes, text, units);
  let starts: Uint32Array | undefined;
  return {
    text: Buffer.from(units.buffer, 0, length * 2).toString('utf16le'),
    // Computed only after a match, which is rare.
    writtenAt(position) {
      if (starts === undefined) {
        starts = new Uint32Array(text.length + 1);
        decode(escapes, text, units, starts);
      }
      return view.writtenAt(starts[position] as number);
    },
  };
}

/**
 * Writes the decoded `text` into `units`, and the start of each unit into `starts`. Returns the number of units. It copies
 * unit by unit, because concatenating strings takes several times as long in texts with many escapes.
 */
function decode({ sign, read }: Escapes, text: string, units: Uint16Array, starts?: Uint32Array): number {
  const first = sign.charCodeAt(0);
  let length = 0;
  for (let at = 0, end = 0; at < text.length; at = end) {
    let unit = text.charCodeAt(at);
    const found = unit === first ? read(text, at) : 0;
    end = at + (found === 0 ? 1 : found & 15);
    if (found !== 0) unit = found >> 4;
    if (unit > 0xffff) {
      if (starts !== undefined) starts[length] = at;
      units[length] = 0xd800 + ((unit - 0x10000) >> 10);
      length += 1;
      unit = 0xdc00 + (unit & 0x3ff);
    }
    if (starts !== undefined) starts[length] = at;
    units[length] = unit;
    length += 1;
  }
  if (starts !== undefined) starts[length] = text.length;
  return length;
}
