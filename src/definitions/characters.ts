import { SecretsError } from '../errors';

/** How much of the ends of a text is removed. */
export type Trim = 'newline' | 'whitespace' | 'none';

/** White space of any script, and characters that show nothing. */
const BLANK = /[\s\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]/;

/**
 * Removes what editors and other tools add to a text. `newline` removes a byte order mark and one newline: `\n`, `\r\n`, or the
 * `\r` that a file of variables with Windows line ends leaves. `whitespace` removes all white space around the text.
 */
export function trimmed(text: string, trim: Trim): string {
  if (trim === 'none') return text;
  if (trim === 'newline') return text.replace(/^\ufeff/, '').replace(/(\r?\n|\r)$/, '');
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text[start] as string)) start += 1;
  while (end > start && BLANK.test(text[end - 1] as string)) end -= 1;
  return text.slice(start, end);
}

/** @throws `VALUE_NOT_TEXT` if the text has a NUL, which no protocol passes on: UTF-16, or bytes that were padded. */
export function assertText(alias: string, text: string): void {
  const offset = text.indexOf('\0');
  if (offset < 0) return;
  const [what, next] = nulKind(text, offset);
  throw new SecretsError('VALUE_NOT_TEXT', `the value of "${alias}" ${what}`, { secret: alias, next });
}

function nulKind(text: string, offset: number): [what: string, next: string] {
  const half = (first: number) => {
    for (let index = first; index < text.length; index += 2) if (text[index] !== '\0') return false;
    return text.length > 1;
  };
  if (half(0) || half(1)) {
    return [
      'is UTF-16: every second byte is a NUL',
      'Store it as UTF-8. In PowerShell: Set-Content -Encoding utf8NoBOM.',
    ];
  }
  const padded = /^[^\0]+\0+$/.test(text);
  const place = padded ? `is padded with NUL from offset ${offset}` : `has a NUL at offset ${offset}`;
  return [place, 'Store the text alone, or use secret.bytes for binary values.'];
}

/** Characters that show nothing, without those of other kinds and of emoji, which join and style them. */
const WIDTHLESS =
  /(?!\ufe0f|[\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|(?<=\p{Extended_Pictographic}|\ufe0f|\p{Emoji_Modifier})\u200d)\p{Default_Ignorable_Code_Point}/u;

const KINDS: readonly (readonly [what: string, characters: RegExp])[] = [
  ['a byte order mark', /\ufeff/],
  ['a replacement character, which stands for bytes that were lost', /\ufffd/],
  ['a no-break space', /[\u00a0\u202f\u2007]/],
  ['a line separator', /[\u2028\u2029]/],
  ['a space that is not the usual one', /[\u1680\u2000-\u200a\u205f\u3000]/],
  ['a character without width', WIDTHLESS],
  ['a mark of writing direction', /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/],
  ['a carriage return without a newline', /\r(?!\n)/],
  // Tabs and newlines are ordinary in texts of several lines.
  ['a control character', /[^\P{Cc}\t\n\r]/u],
];

const SPACES: Readonly<Record<string, string>> = {
  ' ': 'a space',
  '\t': 'a tab',
  '\n': 'a newline',
  '\r': 'a newline',
};

/** Quotes that stand around a text as a whole. */
const QUOTED = /^(?:(["'`])(?:(?!\1)[^\\]|\\.)*\1|“.*”|‘.*’|«.*»|„.*[“”])$/s;

/** Words that programs write for nothing, masks, and variables that a shell did not expand. Some people have such passwords. */
const STAND_IN =
  /^(None|nil|NaN|\*{3,}|<[A-Za-z][\w .-]*>|\$\{?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\}?|%[A-Z][A-Z0-9_]{2,}%)$/;

/**
 * Finds what is probably not meant in a text: white space at its ends, quotes around it, invisible characters. Returns a problem
 * with the kinds and their offsets, in units of `text.length`.
 */
export function suspectText(alias: string, text: string): SecretsError | undefined {
  const findings: string[] = [];
  const start = /^[ \t\r\n]+/.exec(text)?.[0];
  if (start !== undefined) findings.push(`begins with ${SPACES[start[0] as string]} (offset 0)`);
  if (text.length > 1 && QUOTED.test(text)) findings.push(`is in quotes (offsets 0 and ${text.length - 1})`);
  if (STAND_IN.test(text)) findings.push('is what a program writes when it has no value (offset 0)');
  for (const [what, characters] of KINDS) {
    const at = text.search(characters);
    if (at >= 0) findings.push(`has ${what} (offset ${at})`);
  }
  const end = endOf(text);
  if (end < text.length && end > 0) findings.push(`ends with ${SPACES[text[end] as string]} (offset ${end})`);
  if (findings.length === 0) return undefined;
  return new SecretsError(
    'VALUE_SUSPECT',
    `the value of "${alias}" is probably not what was meant: it ${list(findings)}`,
    {
      secret: alias,
      next: "It is used as it is. Correct the stored text, or declare trim: 'none' if all of it is meant; trim: 'whitespace' drops white space at both ends.",
    },
  );
}

/** Returns the offset of the white space at the end of the text. */
function endOf(text: string): number {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1] as string)) end -= 1;
  return end;
}

function list(findings: readonly string[]): string {
  if (findings.length === 1) return findings[0] as string;
  return `${findings.slice(0, -1).join(', ')} and ${findings.at(-1)}`;
}
