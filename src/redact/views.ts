/** A text with some escapes decoded, and a map from its positions to those in the original text. */
export interface View {
  readonly text: string;
  writtenAt(position: number): number;
}

interface Escapes {
  readonly sign: string;
  /** Returns the end of the escape at `start`, or `start` if there is none. */
  endOf(text: string, start: number): number;
  /** Returns the code point of the escape. */
  read(text: string, start: number, end: number): number;
}

// Pairs of the letter after the backslash and its meaning, from JSON; `\'` comes from util.inspect.
const LETTERS = ['""', "''", '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'] as const;
const BY_LETTER = new Uint8Array(128);
for (const pair of LETTERS) BY_LETTER[pair.charCodeAt(0)] = pair.charCodeAt(1);
// util.inspect writes \x1B.
const BY_NUMBER = /\\(?:u[0-9a-f]{4}|x[0-9a-f]{2})/iy;

const json: Escapes = {
  sign: '\\',
  endOf: (text, start) =>
    BY_LETTER[text.charCodeAt(start + 1)] ? start + 2 : endOfMatch(BY_NUMBER, text, start),
  read: (text, start, end) =>
    BY_LETTER[text.charCodeAt(start + 1)] || Number.parseInt(text.slice(start + 2, end), 16),
};

// The UTF-8 bytes of one character.
const ENCODED =
  /%(?:[0-7][0-9a-f]|[cd][0-9a-f]%[89ab][0-9a-f]|e[0-9a-f](?:%[89ab][0-9a-f]){2}|f[0-7](?:%[89ab][0-9a-f]){3})/i;
const ENCODED_HERE = new RegExp(ENCODED, 'iy');

const url: Escapes = {
  sign: '%',
  endOf: (text, start) => endOfMatch(ENCODED_HERE, text, start),
  read: (text, start, end) =>
    Buffer.from(text.slice(start, end).replaceAll('%', ''), 'hex').toString().codePointAt(0) as number,
};

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
function decode(
  { sign, endOf, read }: Escapes,
  text: string,
  units: Uint16Array,
  starts?: Uint32Array,
): number {
  const first = sign.charCodeAt(0);
  let length = 0;
  for (let at = 0, end = 0; at < text.length; at = end) {
    let unit = text.charCodeAt(at);
    end = unit === first ? endOf(text, at) : at;
    if (end === at) end += 1;
    else unit = read(text, at, end);
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

function endOfMatch(sticky: RegExp, text: string, start: number): number {
  sticky.lastIndex = start;
  return sticky.test(text) ? sticky.lastIndex : start;
}
