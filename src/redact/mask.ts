/** A part of a text to mask, and the name of its secret. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/**
 * Replaces each match with `[secret name]`. Matches that overlap become one, with the name of the first, or of the longest of
 * those with the same start. A line of JSON stays valid JSON: a masked number becomes a string, and keys that are names stay.
 */
export function mask(text: string, matches: readonly Match[]): string {
  const json = OBJECT_OR_ARRAY.test(text);
  const onlyNumbers = ONLY_NUMBERS.test(text);
  const count = backslashCounter(text);
  const ordered = (json ? matches.map((match) => withWholeEscapes(text, match, count)) : [...matches]).sort(
    (a, b) => a.start - b.start || b.end - a.end,
  );
  const found = json ? stringTracker(text, count) : undefined;
  const regions: { start: number; end: number; name: string; opening: string; inside: boolean }[] = [];
  for (const { start, end, name } of ordered) {
    const last = regions.at(-1);
    const inside = found?.contains(start) ?? true;
    if (inside && found?.isInName(end)) continue;
    const opening = onlyNumbers ? '"' : openingQuote(text, start, json, inside, count);
    if ((!inside || opening !== '') && isPartOfNumber(text, start, end)) continue;
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else regions.push({ start, end, name, opening, inside });
  }
  const ends = json ? stringTracker(text, count) : undefined;
  let masked = '';
  let last = 0;
  for (const { start, end, name, opening, inside } of regions) {
    // If the value contains the first or last quote of a string, the other quote needs a new counterpart.
    const balanced = (ends?.contains(end) ?? true) === inside;
    const closing = balanced ? opening : inside ? '"' : '';
    masked += `${text.slice(last, start)}${opening}${labelOf(name)}${closing}`;
    last = end;
  }
  return masked + text.slice(last);
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
  const key = beforeSpaces(text, at - 1);
  if (sign !== ':' || text[key - 1] !== '"') return '';
  const backslashes = count(key - 1);
  // Inside a JSON string, a quote without backslashes starts that string. It does not end a key.
  return json && backslashes === 0 ? '' : `${'\\'.repeat(backslashes)}"`;
}

function beforeSpaces(text: string, position: number): number {
  let at = position;
  while (at > 0 && /\s/.test(text[at - 1] as string)) at -= 1;
  return at;
}

// A number is JSON too.
const ONLY_NUMBERS = /^\s*-?\d[\s\d.eE+-]*$/;
const NUMBERS = /^[-+.\deE,":]+$/;
const MORE_OF_NUMBER = /\d|\.\d|[eE][-+]?\d/y;
const ESCAPE_BEFORE = /(?:%|\\x|\\u[\da-f]{2})[\da-f]{2}$/i;

/** Returns true if the match is part of a longer number, such as a time. */
function isPartOfNumber(text: string, start: number, end: number): boolean {
  if (!NUMBERS.test(text.slice(start, end))) return false;
  MORE_OF_NUMBER.lastIndex = end;
  if (MORE_OF_NUMBER.test(text)) return true;
  return (
    /[-.\d]/.test(text[start - 1] ?? '') && !ESCAPE_BEFORE.test(text.slice(Math.max(0, start - 6), start))
  );
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
function withWholeEscapes(text: string, { start, end, name }: Match, count: Counter): Match {
  return {
    start: escapeAround(text, start, count)?.start ?? start,
    end: escapeAround(text, end, count)?.end ?? end,
    name,
  };
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
    if (text[start] !== '\\') continue;
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
