import { backslashesBefore, type JsonLine, jsonLine } from './json-line';
import type { Match } from './match';

/**
 * The text with `[secret name]` for each match; of two that overlap for the one that begins first, else for the longer
 * one. What was a line of JSON is one afterwards: a number is masked as a string.
 */
export function mask(text: string, matches: readonly Match[]): string {
  const json = jsonLine(text);
  const ordered = (json === undefined ? [...matches] : matches.map(json.withWholeEscapes)).sort(
    (a, b) => a.start - b.start || b.end - a.end,
  );
  let masked = '';
  let last = 0;
  for (const { start, end, name } of ordered) {
    if (start < last) continue;
    // All that is no JSON is treated as the inside of a string.
    const inside = json?.inString(start) ?? true;
    const opening = openingQuote(text, start, json);
    if ((!inside || opening !== '') && isPartOfNumber(text, start, end)) continue;
    // A value may hold one quote of a string, its first or its last one: the other one stays, and needs it.
    const balanced = (json?.inString(end) ?? true) === inside;
    const closing = balanced ? opening : inside ? '"' : '';
    masked += `${text.slice(last, start)}${opening}${labelOf(name)}${closing}`;
    last = end;
  }
  return masked + text.slice(last);
}

/** A name may hold anything. What would have to be escaped, and twice in JSON in JSON, is left out. */
function labelOf(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in a line.
  return `[secret ${name.replace(/["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')}]`;
}

/**
 * The quote that a mask needs where no string is around it: in JSON, and behind a key like `"pin":`, with the
 * backslashes that quotes have there in JSON in JSON.
 */
function openingQuote(text: string, position: number, json: JsonLine | undefined): string {
  const at = beforeSpaces(text, position);
  const sign = text[at - 1] ?? '';
  if (json?.inString(position) === false) return '[{,:'.includes(sign) ? '"' : '';
  const key = beforeSpaces(text, at - 1);
  if (sign !== ':' || text[key - 1] !== '"') return '';
  const backslashes = backslashesBefore(text, key - 1);
  // A quote without them is no key's: it is the one that the string begins with.
  return json !== undefined && backslashes === 0 ? '' : `${'\\'.repeat(backslashes)}"`;
}

function beforeSpaces(text: string, position: number): number {
  let at = position;
  while (at > 0 && /\s/.test(text[at - 1] as string)) at -= 1;
  return at;
}

const NUMBERS = /^[-+.\deE,":]+$/;
const NUMBER_GOES_ON = /\d|\.\d|[eE][-+]?\d/y;

/** Digits among more digits are another number, such as a time. */
function isPartOfNumber(text: string, start: number, end: number): boolean {
  if (!NUMBERS.test(text.slice(start, end))) return false;
  NUMBER_GOES_ON.lastIndex = end;
  return /[-.\d]/.test(text[start - 1] ?? '') || NUMBER_GOES_ON.test(text);
}
