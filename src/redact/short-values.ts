import type { Lookup } from '../secret/lookup';
import {
  afterSpaces,
  BACKSLASH,
  beforeSpaces,
  COLON,
  codesOf,
  EQUALS,
  isOfWord,
  isSpace,
  SLASH,
  type Units,
} from './characters';
import type { FormTable } from './form-table';
import { Hashes, hashOf } from './hashes';
import { Matches } from './matches';

const WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'pass', 'pwd', 'pin', 'secret', 'clientsecret', 'secretkey'],
  ...['token', 'accesstoken', 'refreshtoken', 'authtoken', 'apikey', 'accesskey', 'privatekey'],
  ...['credential', 'credentials', 'authorization', 'auth'],
]);

const AT = 0x40;
const POINT = 0x2e;
const B = 0x62;
/** The most spaces at the beginning of a value that are taken for its own. */
const MAX_SPACES = 8;
// Without their first letters, which may be capital.
const EARER = codesOf('earer');
const ASIC = codesOf('asic');
const QUOTES = codesOf('"\'`');
/** What may follow an unquoted value, besides spaces. */
const ENDS = codesOf('"\'`\\&,;#<>()[]{}|');
/** What the user in a URL does not contain, besides spaces. */
const NOT_OF_USER = codesOf('/?#@:"\'`\\');
/** Number of characters to search backwards for a key or the user of a URL. */
const SEARCH_BACK = 128;

/** The secrets that a key before a value identifies. */
interface Named {
  readonly names: Set<string>;
  /** The source that counts for a row of the table, or -1. */
  readonly owners: Map<number, number>;
}

/**
 * Finds short values that their context identifies. The whole value, quoted or not, must follow `:` or `=` and a key, which is
 * a name of its secret or one of `WORDS`; or follow `Bearer` or `Basic`; or be the password of a URL or of Basic credentials.
 */
export class ShortValues {
  readonly #table: FormTable;
  readonly #keys: () => Iterable<readonly [name: string, keys: ReadonlySet<string>]>;
  #byKey: Map<string, Named> | undefined;
  #units: Units = new Uint16Array(0);
  #length = 0;
  /** The memory of `#units`. */
  #bytes: Buffer = Buffer.alloc(0);
  #hashes: Hashes | undefined;
  /** The position of the sign or scheme before a value. */
  #sign = 0;
  /** The row of the value that was found last. */
  #row = 0;

  /** @param keys Returns the keys by which each secret with short values is known. */
  constructor(table: FormTable, keys: () => Iterable<readonly [name: string, keys: ReadonlySet<string>]>) {
    this.#table = table;
    this.#keys = keys;
  }

  /** @param room Memory for a number for each position of the text, and for its end. */
  find(units: Units, length: number, room: Int32Array): Matches {
    const found = new Matches();
    const basic = new Matches();
    this.#units = units;
    this.#length = length;
    this.#hashes = new Hashes(units, room);
    this.#bytes = Buffer.from(units.buffer, units.byteOffset, length * 2);
    for (let at = 0; at < length; at += 1) {
      const code = units[at] as number;
      if (code === COLON || code === EQUALS) {
        this.#sign = at;
        at = this.#addAfterSign(found, at) - 1;
      } else if ((code | 0x20) === B && (at === 0 || !isOfWord(units[at - 1] as number))) {
        this.#sign = at;
        const bearer = this.#afterScheme(at, EARER);
        const end = bearer > at ? this.#endOfValue(bearer, bearer, bearer) : bearer;
        if (end > bearer) {
          found.add(bearer, end, this.#table.ownerOf(this.#row));
          at = end - 1;
          continue;
        }
        const credentials = this.#afterScheme(at, ASIC);
        if (credentials > at) this.#addBasic(basic, credentials);
      }
    }
    return found.with(basic);
  }

  /** Adds the value after a sign. Returns its end, or the position after the sign. */
  #addAfterSign(found: Matches, sign: number): number {
    const units = this.#units;
    const unquoted = afterSpaces(units, this.#length, sign + 1);
    let quoted = unquoted;
    while (quoted < this.#length && units[quoted] === BACKSLASH) quoted += 1;
    quoted = quoted < this.#length && QUOTES.includes(units[quoted] as number) ? quoted + 1 : unquoted;
    const scheme = Math.max(this.#afterScheme(quoted, EARER), this.#afterScheme(quoted, ASIC));
    let start = scheme;
    let end = this.#endOfValue(start, unquoted, quoted);
    // A value may begin like a scheme, with a quote or with spaces.
    if (end === start && scheme > quoted) {
      start = quoted;
      end = this.#endOfValue(start, unquoted, quoted);
    }
    if (end === start && quoted > unquoted) {
      start = unquoted;
      end = this.#endOfValue(start, start, start);
    }
    for (let spaces = 1; end === start && spaces <= MAX_SPACES && unquoted - spaces > sign; spaces += 1) {
      start = unquoted - spaces;
      end = this.#endOfValue(start, start, start);
    }
    if (end === start) return sign + 1;
    const inUrl = units[end] === AT && end < this.#length && this.#isAfterUser(sign);
    if (!inUrl && !this.#isWhole(start, end, unquoted, quoted)) return sign + 1;
    const key = this.#keyBefore(sign);
    const owner = this.#ownerByKey(key);
    if (owner < 0 && !inUrl && scheme === quoted && !WORDS.has(key)) return sign + 1;
    found.add(start, end, owner < 0 ? this.#table.ownerOf(this.#row) : owner);
    return end;
  }

  /** Returns the position after a scheme and spaces, or `start` if there is none. */
  #afterScheme(start: number, letters: readonly number[]): number {
    const units = this.#units;
    if (start >= this.#length || ((units[start] as number) | 0x20) !== B) return start;
    const end = start + 1 + letters.length;
    if (end >= this.#length || letters.some((code, index) => units[start + 1 + index] !== code)) return start;
    const after = afterSpaces(units, this.#length, end);
    return after === end ? start : after;
  }

  /** Returns the end of the longest value at a position that is whole or a password in a URL, or `start` if there is none. */
  #endOfValue(start: number, quote: number, quoteEnd: number): number {
    const table = this.#table;
    if (start >= this.#length || !table.short.mayBeginWith(this.#units[start] as number)) return start;
    for (const length of table.short.lengths) {
      const end = start + length;
      if (end > this.#length) continue;
      const row = table.shortAt(
        this.#units,
        start,
        length,
        (this.#hashes as Hashes).of(start, end, this.#sign),
      );
      if (row === 0) continue;
      this.#row = row;
      if ((end < this.#length && this.#units[end] === AT) || this.#isWhole(start, end, quote, quoteEnd))
        return end;
    }
    return start;
  }

  /** Returns true if a value ends with its quote, which is the part from `quote` to `quoteEnd`, or like an unquoted value. */
  #isWhole(start: number, end: number, quote: number, quoteEnd: number): boolean {
    const units = this.#units;
    const size = quoteEnd - quote;
    if (size > 0 && start >= quoteEnd) {
      if (end + size > this.#length) return false;
      for (let at = 0; at < size; at += 1) if (units[end + at] !== units[quote + at]) return false;
      return true;
    }
    const after = units[end] === POINT ? end + 1 : end;
    if (after >= this.#length) return true;
    const code = units[after] as number;
    return isSpace(code) || ENDS.includes(code);
  }

  /** Returns true if a user of a URL ends at a position. */
  #isAfterUser(position: number): boolean {
    const units = this.#units;
    const least = Math.max(0, position - SEARCH_BACK);
    let at = position;
    while (at > least && !isSpace(units[at - 1] as number) && !NOT_OF_USER.includes(units[at - 1] as number))
      at -= 1;
    return at - 3 >= least && units[at - 1] === SLASH && units[at - 2] === SLASH && units[at - 3] === COLON;
  }

  /** Adds the credentials at a position if their password is a short value. */
  #addBasic(found: Matches, start: number): void {
    const units = this.#units;
    let end = start;
    while (end < this.#length && isOfBase64(units[end] as number)) end += 1;
    if (end === start) return;
    const credentials = Buffer.from(this.#text(start, end), 'base64');
    const password = credentials.toString('utf8', credentials.indexOf(COLON) + 1);
    const { length } = password;
    if (!this.#table.short.lengths.includes(length)) return;
    const row = this.#table.shortAt(unitsOf(password), 0, length, hashOf(password, 0, length));
    while (end < this.#length && units[end] === EQUALS) end += 1;
    if (row !== 0) found.add(start, end, this.#table.ownerOf(row));
  }

  #text(start: number, end: number): string {
    return this.#bytes.toString('utf16le', start * 2, end * 2);
  }

  /** Returns the plain key that ends at a position, perhaps quoted or in brackets: `pin`, `"pin"`, `\"pin\"`, `['pin']`. */
  #keyBefore(position: number): string {
    const units = this.#units;
    const least = Math.max(0, position - SEARCH_BACK);
    let end = beforeSpaces(units, least, position);
    if (end > least && QUOTES.includes(units[end - 1] as number)) end -= 1;
    while (end > least && units[end - 1] === BACKSLASH) end -= 1;
    if (end > least && units[end - 1] === CLOSING_BRACKET) end -= 1;
    let start = end;
    while (start > least && isOfKey(units[start - 1] as number)) start -= 1;
    return plain(this.#text(start, end));
  }

  /** Returns the owner of the last value that a key identifies, or -1. */
  #ownerByKey(key: string): number {
    this.#byKey ??= indexOf(this.#keys());
    const named = this.#byKey.get(key);
    if (named === undefined) return -1;
    let owner = named.owners.get(this.#row);
    if (owner !== undefined) return owner;
    owner = -1;
    for (const source of this.#table.ownersOfShort(this.#row)) {
      if (!named.names.has(this.#table.nameOf(source))) continue;
      if (owner < 0 || this.#table.isBefore(source, owner)) owner = source;
    }
    named.owners.set(this.#row, owner);
    return owner;
  }
}

function unitsOf(text: string): Units {
  const units = new Uint16Array(text.length);
  for (let at = 0; at < text.length; at += 1) units[at] = text.charCodeAt(at);
  return units;
}

const CLOSING_BRACKET = 0x5d;

function indexOf(all: Iterable<readonly [name: string, keys: ReadonlySet<string>]>): Map<string, Named> {
  const byKey = new Map<string, Named>();
  for (const [name, keys] of all) {
    for (const key of keys) {
      const named = byKey.get(key);
      if (named === undefined) byKey.set(key, { names: new Set([name]), owners: new Map() });
      else named.names.add(name);
    }
  }
  return byKey;
}

/** Returns the plain keys by which a secret is known: its names in the store and in the sources. */
export function keysOf(name: string, lookups: readonly Lookup[]): ReadonlySet<string> {
  return new Set([name, ...lookups.flatMap((one) => [one.name, one.file, one.vault, ...one.env])].map(plain));
}

const PLAIN = /^[a-z\d]*$/;

/** Returns a key in lower case, without separators between words. */
function plain(name: string): string {
  return PLAIN.test(name) ? name : name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** Returns true for the characters of a key: letters, digits, and `_./-`. */
function isOfKey(code: number): boolean {
  if (code <= 0x7f) return isOfWord(code) || (code >= 0x2d && code <= 0x2f);
  // Half of a pair belongs to a letter, or `plain` removes it.
  return (code >= 0xd800 && code <= 0xdfff) || /[\p{L}\p{N}]/u.test(String.fromCharCode(code));
}

function isOfBase64(code: number): boolean {
  return isOfWord(code) || code === 0x2b || code === 0x2d || code === SLASH;
}
