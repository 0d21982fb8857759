import { isSpace } from './characters';

/** A part of a text to mask, and the name of its secret. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** Finds the parts of a text to mask, in any order. Matches may overlap. */
export interface Finder {
  find(text: string): readonly Match[];
}

/**
 * Replaces each match with `[secret name]`. Matches that overlap become one, with the name of the first, or of the longest of
 * those with the same start. A line of JSON stays valid JSON: a masked number becomes a string, and keys that are names stay.
 */
export function mask(text: string, matches: readonly Match[]): string {
  const json = OBJECT_OR_ARRAY.test(text);
  const onlyNumbers = ONLY_NUMBERS.test(text);
  const count = backslashCounter(text);
  const found = json ? stringTracker(text, count) : undefined;
  const ends = json ? stringTracker(text, count) : undefined;
  const hasEscapes = json && text.includes('\\');
  const writer = new Writer(text, (inside, end) => (ends?.contains(end) ?? true) === inside);
  for (const match of inOrder(matches)) {
    const { start, end, name } = hasEscapes ? withWholeEscapes(text, match, count) : match;
    // Most matches were found in several views.
    if (end <= writer.end) continue;
    const inside = found?.contains(start) ?? true;
    if (inside && found?.isInName(end)) continue;
    const opening = onlyNumbers ? '"' : openingQuote(text, start, json, inside, count);
    if ((!inside || opening !== '') && isPartOfNumber(text, start, end)) continue;
    writer.add(start, end, name, opening, inside);
  }
  return writer.finish();
}

/** Writes the masks into a text. A region that overlaps the one before extends it. */
class Writer {
  readonly #text: string;
  readonly #isBalanced: (inside: boolean, end: number) => boolean;
  #written = '';
  #pieces: string[] = [];
  readonly #labels = new Map<string, string>();
  #copied = 0;
  #start = -1;
  #end = -1;
  #name = '';
  #opening = '';
  #inside = true;

  /** @param isBalanced Returns true if both ends of a region are inside strings, or both outside. */
  constructor(text: string, isBalanced: (inside: boolean, end: number) => boolean) {
    this.#text = text;
    this.#isBalanced = isBalanced;
  }

  /** The end of the last region. */
  get end(): number {
    return this.#end;
  }

  add(start: number, end: number, name: string, opening: string, inside: boolean): void {
    if (start < this.#end) {
      if (end > this.#end) this.#end = end;
      return;
    }
    this.#write();
    this.#start = start;
    this.#end = end;
    this.#name = name;
    this.#opening = opening;
    this.#inside = inside;
  }

  finish(): string {
    this.#write();
    this.#pieces.push(this.#text.slice(this.#copied));
    this.#join();
    return this.#written;
  }

  #write(): void {
    if (this.#start < 0) return;
    // If the value contains the first or last quote of a string, the other quote needs a new counterpart.
    const closing = this.#isBalanced(this.#inside, this.#end) ? this.#opening : this.#inside ? '"' : '';
    let label = this.#labels.get(this.#name);
    if (label === undefined) {
      label = labelOf(this.#name);
      this.#labels.set(this.#name, label);
    }
    this.#pieces.push(this.#text.slice(this.#copied, this.#start), this.#opening, label, closing);
    this.#copied = this.#end;
    if (this.#pieces.length > MANY_PIECES) this.#join();
  }

  #join(): void {
    this.#written += this.#pieces.join('');
    this.#pieces = [];
  }
}

/** Pieces that wait longer outlive collections of garbage, each of which copies them. */
const MANY_PIECES = 2_000;

/** Returns matches by their start, and the longest of those with the same start first. They usually are already. */
function inOrder(matches: readonly Match[]): readonly Match[] {
  const compare = (a: Match, b: Match) => a.start - b.start || b.end - a.end;
  const isInOrder = matches.every(
    (match, index) => index === 0 || compare(matches[index - 1] as Match, match) <= 0,
  );
  return isInOrder ? matches : [...matches].sort(compare);
}

/** Returns the label of a name. Names may contain any character, so those that need escapes become `?`. */
function labelOf(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must not reach a log line.
  return `[secret ${name.replace(/["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')}]`;
}

/**
 * Returns the quote that a mask needs outside a string: in JSON, and after a key such as `"pin":`. In nested JSON, the quote
 * has the same backslashes as the quote of the key.
 */
function openingQuote(
  text: string,
  position: number,
  json: boolean,
  inside: boolean,
  count: Counter,
): string {
  const at = beforeSpaces(text, position);
  const sign = text[at - 1] ?? '';
  if (!inside) return '[{,:'.includes(sign) ? '"' : '';
  if (sign !== ':') return '';
  const key = beforeSpaces(text, at - 1);
  if (text[key - 1] !== '"') return '';
  const backslashes = count(key - 1);
  // Inside a JSON string, a quote without backslashes starts that string. It does not end a key.
  return json && backslashes === 0 ? '' : `${'\\'.repeat(backslashes)}"`;
}

function beforeSpaces(text: string, position: number): number {
  let at = position;
  while (at > 0 && isSpace(text.charCodeAt(at - 1))) at -= 1;
  return at;
}

// A number is JSON too.
const ONLY_NUMBERS = /^\s*-?\d[\s\d.eE+-]*$/;
const ESCAPE_BEFORE = /(?:%|\\x|\\u[\da-f]{2})[\da-f]{2}$/i;

/** Returns true if the match is part of a longer number, such as a time. */
function isPartOfNumber(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (!isOfNumbers(text.charCodeAt(at))) return false;
  if (goesOnAsNumber(text, end)) return true;
  const before = text.charCodeAt(start - 1);
  return (
    (isDigit(before) || before === MINUS || before === POINT) &&
    !ESCAPE_BEFORE.test(text.slice(Math.max(0, start - 6), start))
  );
}

const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Returns true for digits, `e`, and `-+.,":`. */
function isOfNumbers(code: number): boolean {
  if (isDigit(code) || (code | 0x20) === 0x65) return true;
  return (code >= PLUS && code <= POINT) || code === 0x22 || code === 0x3a;
}

/** Returns true if a digit follows, perhaps after a point, or an exponent. */
function goesOnAsNumber(text: string, end: number): boolean {
  const code = text.charCodeAt(end);
  if (isDigit(code)) return true;
  const next = text.charCodeAt(end + 1);
  if (code === POINT) return isDigit(next);
  if ((code | 0x20) !== 0x65) return false;
  return isDigit(next) || ((next === PLUS || next === MINUS) && isDigit(text.charCodeAt(end + 2)));
}

const OBJECT_OR_ARRAY = /^\s*(?:[{[][{[\s]*["}\]]|\[[[\s]*(?:null|true|false|-?\d[\d.eE+-]*)\s*[,\]])/;

interface StringTracker {
  /** Returns true if a position is inside a JSON string. Call it with increasing positions. */
  contains(position: number): boolean;
  /** Returns true if the last position and `end` are in the same key of JSON, and it is a name. */
  isInName(end: number): boolean;
}

function stringTracker(text: string, count: Counter): StringTracker {
  let inString = false;
  let opened = -1;
  let name: { readonly opened: number; readonly end: number } | undefined;
  let quote = text.indexOf('"');
  let lineEnd = text.indexOf('\n');
  // A JSON string never spans lines, so a stray quote in one line does not affect the next.
  const passLines = (position: number) => {
    for (; lineEnd >= 0 && lineEnd < position; lineEnd = text.indexOf('\n', lineEnd + 1)) inString = false;
  };
  return {
    contains(position) {
      for (; quote >= 0 && quote < position; quote = text.indexOf('"', quote + 1)) {
        passLines(quote);
        if (inString && count(quote) % 2 > 0) continue;
        inString = !inString;
        opened = quote;
      }
      passLines(position);
      return inString;
    },
    isInName(end) {
      if (name?.opened !== opened) {
        let close = quote;
        while (close >= 0 && count(close) % 2 > 0) close = text.indexOf('"', close + 1);
        const isKey =
          '{,'.includes(text[beforeSpaces(text, opened) - 1] ?? '-') &&
          /^\s{0,8}:/.test(text.slice(close + 1, close + 10));
        const isName = isKey && close - opened < MAX_NAME && NAME.test(text.slice(opened + 1, close));
        name = { opened, end: isName ? close : -1 };
      }
      return end <= name.end;
    },
  };
}

const MAX_NAME = 64;
// Words, with up to two digits at their ends. A random token as a key is masked.
const NAME = /^(?:[A-Za-z]+\d{0,2}(?:[ _./:-]|$))+$/;

/** Extends a match to whole escapes. A half escape would form another escape together with the mask. */
function withWholeEscapes(text: string, match: Match, count: Counter): Match {
  const start = escapeAround(text, match.start, count)?.start ?? match.start;
  const end = escapeAround(text, match.end, count)?.end ?? match.end;
  return start === match.start && end === match.end ? match : { start, end, name: match.name };
}

// \u00e9
const LONGEST_ESCAPE = 6;

/** Returns the escape that contains `position`, if it is not at its start or end. */
function escapeAround(
  text: string,
  position: number,
  count: Counter,
): { start: number; end: number } | undefined {
  for (let start = position - 1; start > position - LONGEST_ESCAPE; start -= 1) {
    if (text.charCodeAt(start) !== 0x5c) continue;
    const end = start + (text[start + 1] === 'u' ? LONGEST_ESCAPE : 2);
    return end > position && count(start) % 2 === 0 ? { start, end } : undefined;
  }
  return undefined;
}

/** Counts the backslashes directly before a position. An odd number means that the character there is escaped. */
type Counter = (position: number) => number;

function backslashCounter(text: string): Counter {
  let counts: Uint32Array | undefined;
  return (position) => {
    if (text[position - 1] !== '\\') return 0;
    // Counted once for the whole text, because a long run of backslashes may be counted from many positions.
    if (counts === undefined) {
      counts = new Uint32Array(text.length + 1);
      for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', at + 1)) {
        counts[at + 1] = (counts[at] as number) + 1;
      }
    }
    return counts[position] as number;
  };
}
