/** A text without some of its escapes, and where its positions lie in the text as it was written. */
export interface View {
  readonly text: string;
  writtenAt(position: number): number;
}

interface Escapes {
  readonly sign: string;
  /** Matches a text with escapes that a value may have, and with those that hide further ones. */
  matter(used: (unit: number) => boolean): RegExp;
  /** Where the escape that begins at `start` ends; `start` where none begins. */
  endOf(text: string, start: number): number;
  /** The code point that it stands for. */
  read(text: string, start: number, end: number): number;
}

// By the unit behind the backslash; with the \' of util.inspect, and below its \x1B.
const SIGNS = new Uint8Array(128);
for (const [letter, sign] of ['""', "''", '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  SIGNS[(letter as string).charCodeAt(0)] = (sign as string).charCodeAt(0);
}
const BY_NUMBER = /\\(?:u[0-9a-f]{4}|x[0-9a-f]{2})/iy;

const json: Escapes = {
  sign: '\\',
  matter(used) {
    const letters = [...SIGNS.keys()].filter((letter) => SIGNS[letter] && used(SIGNS[letter]));
    return new RegExp(`\\\\[\\\\ux${String.fromCharCode(...letters).replace('\\', '')}]`);
  },
  endOf: (text, start) =>
    SIGNS[text.charCodeAt(start + 1)] ? start + 2 : endOfMatch(BY_NUMBER, text, start),
  read: (text, start, end) =>
    SIGNS[text.charCodeAt(start + 1)] || Number.parseInt(text.slice(start + 2, end), 16),
};

// The bytes of one character in UTF-8.
const ENCODED =
  /%(?:[0-7][0-9a-f]|[cd][0-9a-f]%[89ab][0-9a-f]|e[0-9a-f](?:%[89ab][0-9a-f]){2}|f[0-7](?:%[89ab][0-9a-f]){3})/iy;

const url: Escapes = {
  sign: '%',
  matter(used) {
    const ascii = Array.from({ length: 0x80 }, (_, unit) => unit).filter(
      (unit) => unit === 0x25 || used(unit),
    );
    const bytes = ascii.map((unit) => unit.toString(16).padStart(2, '0'));
    return new RegExp(`%(?:[c-f]|${bytes.join('|')})`, 'i');
  },
  endOf: (text, start) => endOfMatch(ENCODED, text, start),
  read: (text, start, end) =>
    Buffer.from(text.slice(start, end).replaceAll('%', ''), 'hex').toString().codePointAt(0) as number,
};

// JSON in JSON in JSON; in that a URL, which may be a part of another; in that again JSON.
const PASSES = [
  { escapes: json, deepest: 3 },
  { escapes: url, deepest: 2 },
  { escapes: json, deepest: 2 },
] as const;

/**
 * Reads texts as each reader along the way would: encoders differ in what they escape, and how; what is read back is the
 * same. The first view is the text as it is. Most texts have no other: without escapes, or with none but such as no form
 * of a value can have, which `\"` and `\n` are for most values.
 */
export function viewsFor(forms: readonly string[]): (text: string) => readonly View[] {
  const used = new Uint8Array(0x80);
  for (const form of forms) {
    for (let at = 0; at < form.length; at += 1) used[form.charCodeAt(at)] = 1;
  }
  const passes = PASSES.map((pass) => ({ ...pass, matter: pass.escapes.matter((unit) => used[unit] === 1) }));
  return (text) => {
    let view: View = { text, writtenAt: (position) => position };
    const views = [view];
    for (const { escapes, deepest, matter } of passes) {
      for (let depth = 0; depth < deepest; depth += 1) {
        if (!view.text.includes(escapes.sign) || !matter.test(view.text)) break;
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
    // Made where something was found, which is in few texts.
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
 * Writes the units of `text` without its escapes, and where each begins; returns how many there are. Unit by unit: pieces
 * of strings that are put together cost several times as much where escapes are many.
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
