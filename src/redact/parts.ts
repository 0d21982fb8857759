import { isSpace } from './characters';

/** A part of a text that occurs alone in logs. */
export interface Part {
  readonly text: string;
  /** False for a part that also stands elsewhere in the text: a password `orders` of the user `orders` is an ordinary word. */
  readonly isDistinct: boolean;
}

// Connection strings are shorter.
const MAX_LENGTH = 16_384;
// The second form ends at the last `@`, for passwords that contain `/` or `@` themselves.
const IN_URL = [/:\/\/[^\s/?#:@]*:([^\s/?#]*)@/g, /:\/\/[^\s/?#:@]*:(\S{0,512})@/g];
// `Password=…;`, `AccountKey=…`, `?sig=…&`, `password='…'`.
const SETTING =
  /(?:^|[\s;?&,{"'])([\w .-]{0,40}(?:password|passwd|passphrase|pass|pwd|secret|token|key|sig|signature|credential)s?)["']?\s{0,8}[=:]\s{0,8}("[^"\n]*"|'[^'\n]*'|\{[^}\n]*\}|[^;&\n]+)/gi;

// The padding of base64 is at the end.
const SIGN_WITHIN = /[=:][^=]/;

/** Returns what clients print of a text: the passwords in a connection string, and the text without the spaces around it. */
export function partsOf(text: string): Part[] {
  if (text.length > MAX_LENGTH) return [];
  const isUrl = text.includes('://');
  const isSetting = SIGN_WITHIN.test(text);
  const trimmed = text.trim();
  if (trimmed === text && !isUrl && !isSetting) return [];
  const found = new Set<string>([trimmed]);
  if (isUrl) {
    for (const pattern of IN_URL)
      for (const [, password = ''] of text.matchAll(pattern)) addDecoded(found, password);
  }
  for (const [, , setting = ''] of isSetting ? text.matchAll(SETTING) : []) {
    const value = setting.trim();
    const isQuoted = /^(?:".*"|'.*'|\{.*\})$/s.test(value);
    addDecoded(found, isQuoted ? value.slice(1, -1) : value);
    // Redis and libpq separate settings with commas and spaces.
    if (!isQuoted) addDecoded(found, /^[^\s,"'}]*/.exec(value)?.[0] ?? '');
  }
  found.delete(text);
  found.delete('');
  return Array.from(found, (part) => ({
    text: part,
    isDistinct: text.indexOf(part) === text.lastIndexOf(part),
  }));
}

function addDecoded(found: Set<string>, text: string): void {
  found.add(text);
  try {
    found.add(decodeURIComponent(text));
  } catch {
    // It is not percent-encoded.
  }
}

const PEM_LABEL = /-----(?:BEGIN|END) [A-Z0-9 ]+-----/g;
// Variables often hold a PEM with `\n` as two characters, or in one line.
const WRITTEN_LINE_END = /\\[rn]/g;
const SPACE_OF_PEM = / (?<=[\w+/=]{24} )(?=[\w+/=]+(?: |$))/g;

/** The lines of a text, as the start and the end of each. */
export interface Lines {
  readonly text: string;
  readonly places: readonly number[];
}

/** Returns the lines of a text of several lines, without the labels of PEM: pretty printers and prefixes separate them. */
export function linesOf(whole: string): Lines {
  const text = whole.includes('-----') ? linesOfPem(whole) : whole;
  const places: number[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (!isLineEnd(text.charCodeAt(at))) continue;
    addLine(places, text, start, at);
    start = at + 1;
  }
  if (start > 0) addLine(places, text, start, text.length);
  return { text, places };
}

/** Returns a text with line ends where PEM has labels or other separators, each as long as what it replaces. */
function linesOfPem(text: string): string {
  const unlabelled = text.replace(PEM_LABEL, (label) => '\n'.repeat(label.length));
  return unlabelled === text
    ? text
    : unlabelled.replace(WRITTEN_LINE_END, '\n\n').replace(SPACE_OF_PEM, '\n');
}

function addLine(places: number[], text: string, from: number, to: number): void {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  for (let at = start; at < end; at += 1) {
    if (!isOfWord(text.charCodeAt(at))) continue;
    places.push(start, end);
    return;
  }
}

function isLineEnd(code: number): boolean {
  return code === 0x0a || code === 0x0d || code === 0x2028 || code === 0x2029;
}

function isOfWord(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === 0x5f;
}
