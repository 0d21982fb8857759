/** A part of a text to mask, and the name of its secret. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/**
 * Replaces each match with `[secret name]`. If matches overlap, the first wins, or the longest of those with the same start.
 * A line of JSON stays valid JSON: a masked number becomes a string.
 */
export function mask(text: string, matches: readonly Match[]): string {
  const json = OBJECT_OR_ARRAY.test(text);
  const inString = json ? stringTracker(text) : () => true;
  const ordered = (json ? matches.map((match) => withWholeEscapes(text, match)) : [...matches]).sort(
    (a, b) => a.start - b.start || b.end - a.end,
  );
  let masked = '';
  let last = 0;
  for (const { start, end, name } of ordered) {
    if (start < last) continue;
    const inside = inString(start);
    const opening = openingQuote(text, start, json, inside);
    if ((!inside || opening !== '') && isPartOfNumber(text, start, end)) continue;
    // If the value contains the first or last quote of a string, the other quote needs a new counterpart.
    const balanced = inString(end) === inside;
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
function openingQuote(text: string, position: number, json: boolean, inside: boolean): string {
  const at = beforeSpaces(text, position);
  const sign = text[at - 1] ?? '';
  if (!inside) return '[{,:'.includes(sign) ? '"' : '';
  const key = beforeSpaces(text, at - 1);
  if (sign !== ':' || text[key - 1] !== '"') return '';
  const backslashes = backslashesBefore(text, key - 1);
  // Inside a JSON string, a quote without backslashes starts that string. It does not end a key.
  return json && backslashes === 0 ? '' : `${'\\'.repeat(backslashes)}"`;
}

function beforeSpaces(text: string, position: number): number {
  let at = position;
  while (at > 0 && /\s/.test(text[at - 1] as string)) at -= 1;
  return at;
}

const NUMBERS = /^[-+.\deE,":]+$/;
const MORE_OF_NUMBER = /\d|\.\d|[eE][-+]?\d/y;

/** Returns true if the match is part of a longer number, such as a time. */
function isPartOfNumber(text: string, start: number, end: number): boolean {
  if (!NUMBERS.test(text.slice(start, end))) return false;
  MORE_OF_NUMBER.lastIndex = end;
  return /[-.\d]/.test(text[start - 1] ?? '') || MORE_OF_NUMBER.test(text);
}

const OBJECT_OR_ARRAY = /^\s*(?:[{[][{[\s]*"|\[[[\s]*-?\d[\d.eE+-]*\s*[,\]])/;

/** Returns a function that is true for positions inside a JSON string. Call it with increasing positions. */
function stringTracker(text: string): (position: number) => boolean {
  let inString = false;
  let quote = text.indexOf('"');
  let lineEnd = text.indexOf('\n');
  // A JSON string never spans lines, so a stray quote in one line does not affect the next.
  const passLines = (position: number) => {
    for (; lineEnd >= 0 && lineEnd < position; lineEnd = text.indexOf('\n', lineEnd + 1)) inString = false;
  };
  return (position) => {
    for (; quote >= 0 && quote < position; quote = text.indexOf('"', quote + 1)) {
      passLines(quote);
      if (!inString || backslashesBefore(text, quote) % 2 === 0) inString = !inString;
    }
    passLines(position);
    return inString;
  };
}

/** Extends a match to whole escapes. A half escape would form another escape together with the mask. */
function withWholeEscapes(text: string, { start, end, name }: Match): Match {
  return {
    start: escapeAround(text, start)?.start ?? start,
    end: escapeAround(text, end)?.end ?? end,
    name,
  };
}

// \u00e9
const LONGEST_ESCAPE = 6;

/** Returns the escape that contains `position`, if it is not at its start or end. */
function escapeAround(text: string, position: number): { start: number; end: number } | undefined {
  for (let start = position - 1; start > position - LONGEST_ESCAPE; start -= 1) {
    if (text[start] !== '\\') continue;
    const end = start + (text[start + 1] === 'u' ? LONGEST_ESCAPE : 2);
    return end > position && backslashesBefore(text, start) % 2 === 0 ? { start, end } : undefined;
  }
  return undefined;
}

/** Counts the backslashes directly before `position`. An odd number means that the character there is escaped. */
function backslashesBefore(text: string, position: number): number {
  let at = position;
  while (text[at - 1] === '\\') at -= 1;
  return position - at;
}
