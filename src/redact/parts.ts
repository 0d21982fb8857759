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

/** Returns what clients print of a text: the passwords in a connection string, and the text without the spaces around it. */
export function partsOf(text: string): Part[] {
  if (text.length > MAX_LENGTH) return [];
  const found = new Set<string>([text.trim()]);
  for (const pattern of IN_URL)
    for (const [, password = ''] of text.matchAll(pattern)) addDecoded(found, password);
  for (const [, , setting = ''] of text.matchAll(SETTING)) {
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
const LINE_END = /[\r\n\u2028\u2029]+/;
// Variables often hold a PEM with `\n` as two characters, or in one line.
const PEM_LINE_END = /(?:\\[rn]|[\r\n])+|(?<=[\w+/=]{24}) (?=[\w+/=]+(?: |$))/;

/** Returns the lines of a text of several lines, without the labels of PEM: pretty printers and prefixes separate them. */
export function linesOf(text: string): string[] {
  const unlabelled = text.replace(PEM_LABEL, '\n');
  const lines = unlabelled.split(unlabelled === text ? LINE_END : PEM_LINE_END).map((line) => line.trim());
  return lines.length < 2 ? [] : lines.filter((line) => /\w/.test(line));
}
