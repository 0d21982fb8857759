import type { Match } from './match';

/** What a text of JSON is made of, as far as masks have to know it. */
export interface JsonLine {
  /** False where numbers stand, and whole objects. Asked of rising positions. */
  readonly inString: (position: number) => boolean;
  /** Half an escape must not stay: what is put behind its `\` would make another one. */
  readonly withWholeEscapes: (match: Match) => Match;
}

const OBJECT_OR_ARRAY = /^\s*(?:[{[][{[\s]*"|\[[[\s]*-?\d[\d.eE+-]*\s*[,\]])/;

/** `undefined` for what is no JSON. */
export function jsonLine(text: string): JsonLine | undefined {
  if (!OBJECT_OR_ARRAY.test(text)) return undefined;
  let inString = false;
  let quote = text.indexOf('"');
  let lineEnd = text.indexOf('\n');
  // No string of JSON goes over the end of a line: a quote too many in one says nothing of the next.
  const passLines = (position: number) => {
    for (; lineEnd >= 0 && lineEnd < position; lineEnd = text.indexOf('\n', lineEnd + 1)) inString = false;
  };
  return {
    inString(position) {
      for (; quote >= 0 && quote < position; quote = text.indexOf('"', quote + 1)) {
        passLines(quote);
        if (!inString || !isEscaped(text, quote)) inString = !inString;
      }
      passLines(position);
      return inString;
    },
    withWholeEscapes: ({ start, end, name }) => ({
      start: escapeAround(text, start)?.start ?? start,
      end: escapeAround(text, end)?.end ?? end,
      name,
    }),
  };
}

// \u00e9
const LONGEST_ESCAPE = 6;

/** The escape that `position` is in the middle of. */
function escapeAround(text: string, position: number): { start: number; end: number } | undefined {
  for (let start = position - 1; start > position - LONGEST_ESCAPE; start -= 1) {
    if (text[start] !== '\\') continue;
    const end = start + (text[start + 1] === 'u' ? LONGEST_ESCAPE : 2);
    return end > position && !isEscaped(text, start) ? { start, end } : undefined;
  }
  return undefined;
}

function isEscaped(text: string, position: number): boolean {
  return backslashesBefore(text, position) % 2 === 1;
}

/** How many backslashes stand right before `position`: an odd number of them makes what follows a part of an escape. */
export function backslashesBefore(text: string, position: number): number {
  let at = position;
  while (text[at - 1] === '\\') at -= 1;
  return position - at;
}
