export const BACKSLASH = 0x5c;
export const QUOTE = 0x22;
export const COLON = 0x3a;
export const EQUALS = 0x3d;
export const SLASH = 0x2f;

/** The units of UTF-16 in a text, which take less time to read than the characters of a string. */
export type Units = Uint16Array;

/** Returns the value of a digit in decimal or hex, or -1. */
export function digitOf(code: number): number {
  if (isDigit(code)) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Returns true for the letters of ASCII. */
export function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a && code <= 0x7f;
}

/** Returns true for letters and digits of ASCII, and `_`. */
export function isOfWord(code: number): boolean {
  return isLetter(code) || isDigit(code) || code === 0x5f;
}

export function isSpace(code: number): boolean {
  return code <= 0x7f ? code === 0x20 || (code >= 9 && code <= 13) : /\s/.test(String.fromCharCode(code));
}

/** Returns the first position at or after `at` without a space. */
export function afterSpaces(units: Units, length: number, at: number): number {
  let after = at;
  while (after < length && isSpace(units[after] as number)) after += 1;
  return after;
}

/** Returns the last position at or before `at` that no space precedes, but not less than `least`. */
export function beforeSpaces(units: Units, least: number, at: number): number {
  let before = at;
  while (before > least && isSpace(units[before - 1] as number)) before -= 1;
  return before;
}

export function codesOf(text: string): number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
}
