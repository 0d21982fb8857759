import type { Lookup } from '../secret/lookup';
import { isSpace } from './characters';
import type { Finder, Match } from './mask';

/** A value that is too short to mask everywhere. */
export interface ShortValue {
  readonly value: string;
  readonly name: string;
  /** Names that keys before the value may use. */
  readonly lookups: readonly Lookup[];
}

interface Owner {
  readonly name: string;
  readonly keys: ReadonlySet<string>;
}

const WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'pass', 'pwd', 'pin', 'secret', 'clientsecret', 'secretkey'],
  ...['token', 'accesstoken', 'refreshtoken', 'authtoken', 'apikey', 'accesskey', 'privatekey'],
  ...['credential', 'credentials', 'authorization', 'auth'],
]);

// What comes before a value: a sign with an opening quote or a scheme, or a scheme alone.
const BEFORE = /(?:[:=]\s*(\\*["'`])?((?:[Bb]earer|[Bb]asic)\s+)?|\b[Bb]earer\s+)/;
// The end of an unquoted value.
const END = /\.?(?:$|[\s"'`\\&,;#<>()[\]{}|])/y;
// Number of characters to search backwards for a key or the user of a URL.
const SEARCH_BACK = 128;
const USER = /:\/\/[^\s/?#@:"'`\\]*$/;
const BASIC = /\b[Bb]asic\s+([\w+/-]+=*)/g;

/**
 * Finds short values that their context identifies. The whole value, quoted or not, must follow `:` or `=` and a key, which is
 * a name of its secret or one of `WORDS`; or follow `Bearer` or `Basic`; or be the password of a URL or of Basic credentials.
 */
export function shortValues(values: readonly ShortValue[]): Finder {
  if (values.length === 0) return { find: () => [] };
  const owners = new Map<string, Owner[]>();
  const keys = new Map<string, ReadonlySet<string>>();
  for (const { value, name, lookups } of values) {
    let ownKeys = keys.get(name);
    if (ownKeys === undefined) {
      ownKeys = keysOf(name, lookups);
      keys.set(name, ownKeys);
    }
    const list = owners.get(value);
    if (list === undefined) owners.set(value, [{ name, keys: ownKeys }]);
    else if (list.at(-1)?.name !== name) list.push({ name, keys: ownKeys });
  }
  const lengths = [...new Set(Array.from(owners.keys(), (value) => value.length))].sort((a, b) => b - a);
  const firsts = new Set(Array.from(owners.keys(), (value) => value.charCodeAt(0).toString(16)));
  const first = Array.from(firsts, (code) => `\\u${code.padStart(4, '0')}`).join('');
  const before = new RegExp(`${BEFORE.source}(?=[${first}])`, 'g');

  /** Returns the end of the longest value at a position that ends with `quote`, or with what ends an unquoted value. */
  const endOfValue = (text: string, start: number, quote: string | undefined): number => {
    for (const length of lengths) {
      const end = start + length;
      if (end > text.length || !owners.has(text.slice(start, end))) continue;
      const isWhole = quote === undefined ? endsAt(text, end) : text.startsWith(quote, end);
      if (isWhole || text[end] === '@') return end;
    }
    return start;
  };

  const find = (text: string): Match[] => {
    const found: Match[] = [];
    before.lastIndex = 0;
    for (let place = before.exec(text); place !== null; place = before.exec(text)) {
      const [whole, quote, scheme] = place;
      const hasSign = whole[0] === ':' || whole[0] === '=';
      let start = place.index + whole.length;
      let end = endOfValue(text, start, quote);
      // A value may begin like a scheme or with a quote.
      if (end === start && scheme !== undefined) {
        start -= scheme.length;
        end = endOfValue(text, start, quote);
      }
      if (end === start && quote !== undefined) {
        start -= quote.length;
        end = endOfValue(text, start, undefined);
      }
      if (end === start) continue;
      const inUrl =
        text[end] === '@' && USER.test(text.slice(Math.max(0, place.index - SEARCH_BACK), place.index));
      const isWhole =
        quote === undefined || start <= place.index + whole.indexOf(quote)
          ? endsAt(text, end)
          : text.startsWith(quote, end);
      if (!inUrl && !isWhole) continue;
      const list = owners.get(text.slice(start, end)) as Owner[];
      const key = hasSign ? keyBefore(text, place.index) : '';
      const owner = list.find((one) => one.keys.has(key));
      const isAfterScheme = !hasSign || scheme !== undefined;
      if (owner === undefined && !inUrl && !isAfterScheme && !WORDS.has(key)) continue;
      found.push({ start, end, name: (owner ?? (list[0] as Owner)).name });
      before.lastIndex = end;
    }
    if (text.includes('asic')) findBasic(text, owners, found);
    return found;
  };
  return { find };
}

function findBasic(text: string, owners: ReadonlyMap<string, readonly Owner[]>, found: Match[]): void {
  BASIC.lastIndex = 0;
  for (let basic = BASIC.exec(text); basic !== null; basic = BASIC.exec(text)) {
    const [whole, encoded = ''] = basic;
    const credentials = Buffer.from(encoded, 'base64').toString();
    const owner = owners.get(credentials.slice(credentials.indexOf(':') + 1))?.[0];
    const end = basic.index + whole.length;
    if (owner !== undefined) found.push({ start: end - encoded.length, end, name: owner.name });
  }
}

function keysOf(name: string, lookups: readonly Lookup[]): ReadonlySet<string> {
  return new Set([name, ...lookups.flatMap((one) => [one.name, one.file, one.vault, ...one.env])].map(plain));
}

const PLAIN = /^[a-z\d]*$/;

/** Returns a key in lower case, without separators between words. */
function plain(name: string): string {
  return PLAIN.test(name) ? name : name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** Returns the plain key that ends at a position, perhaps quoted or in brackets: `pin`, `"pin"`, `\"pin\"`, `['pin']`. */
function keyBefore(text: string, position: number): string {
  const least = Math.max(0, position - SEARCH_BACK);
  let end = position;
  while (end > least && isSpace(text.charCodeAt(end - 1))) end -= 1;
  if (end > least && '"\'`'.includes(text[end - 1] as string)) end -= 1;
  while (end > least && text[end - 1] === '\\') end -= 1;
  if (end > least && text[end - 1] === ']') end -= 1;
  let start = end;
  while (start > least && isOfKey(text.charCodeAt(start - 1))) start -= 1;
  return plain(text.slice(start, end));
}

/** Returns true for the characters of a key: letters, digits, and `_./-`. */
function isOfKey(code: number): boolean {
  if (code <= 0x7f) {
    const lower = code | 0x20;
    return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x2d && code <= 0x39) || code === 0x5f;
  }
  // Half of a pair belongs to a letter, or `plain` removes it.
  return (code >= 0xd800 && code <= 0xdfff) || /[\p{L}\p{N}]/u.test(String.fromCharCode(code));
}

function endsAt(text: string, position: number): boolean {
  END.lastIndex = position;
  return END.test(text);
}
