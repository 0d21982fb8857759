import type { Lookup } from '../secret/lookup';
import type { Match } from './mask';

/** Finds the parts of a text to mask, in any order. Matches may overlap. */
export type Find = (text: string) => readonly Match[];

const WORD = 4;
const MAX_STEP = 8;
// Number of positions that fit into one byte. PEM keys share at least their first 76 characters.
const REACH = 256;
const MIN_BITS = 12;
const GOLDEN = 0x9e3779b1;

/**
 * Finds long forms with a hash table of four-character words. The time depends only on the length of the text: one position
 * in every `step` is looked up, and `step` is small enough that each form has a whole word at one of them. The table has
 * `step` words of each form, one for each alignment, preferably words with a free slot, because values often begin alike
 * (`postgres://`, `eyJhbGci`, `-----BEGIN`).
 *
 * @param values Forms of at least six characters, each with the name of its secret. The first name of a form counts.
 */
export function longValues(values: Iterable<readonly [form: string, name: string]>): Find {
  const all = [...values];
  let shortest = MAX_STEP + WORD - 1;
  for (const [{ length }] of all) if (length < shortest) shortest = length;
  const step = shortest - WORD + 1;
  const bits = Math.max(MIN_BITS, Math.ceil(Math.log2(all.length * step * 2)));
  const shift = 32 - bits;
  // Each slot has a word, then the index of its form and the position of the word in the form, plus 1. 0 is a free slot.
  const table = new Int32Array(2 << bits);
  const last = table.length - 1;
  const slotOf = (word: number) => (Math.imul(word, GOLDEN) >>> shift) * 2;
  const valueIn = (slot: number) => all[((table[slot + 1] as number) - 1) >> 8] as readonly [string, string];

  function insert(form: string, index: number): void {
    const bytes = bytesOf(form);
    const end = Math.min(form.length, REACH) - WORD;
    for (let place = 0; place < step; place += 1) {
      let at = place;
      let word = bytes.getInt32(at, true);
      let slot = slotOf(word);
      while (table[slot + 1] !== 0) {
        // Another secret has the same form, which leads to the same slot.
        if (place === 0 && table[slot] === word && valueIn(slot)[0] === form) return;
        if (at + step <= end) {
          at += step;
          word = bytes.getInt32(at, true);
          slot = slotOf(word);
        } else {
          slot = (slot + 2) & last;
        }
      }
      table[slot] = word;
      table[slot + 1] = index * REACH + at + 1;
    }
  }
  for (let index = 0; index < all.length; index += 1) insert((all[index] as [string, string])[0], index);

  return (text) => {
    const found: Match[] = [];
    const bytes = bytesOf(text);
    for (let position = 0; position <= text.length - WORD; position += step) {
      const word = bytes.getInt32(position, true);
      for (let slot = slotOf(word); table[slot + 1] !== 0; slot = (slot + 2) & last) {
        if (table[slot] !== word) continue;
        const [form, name] = valueIn(slot);
        const start = position - (((table[slot + 1] as number) - 1) % REACH);
        if (start >= 0 && text.startsWith(form, start)) found.push({ start, end: start + form.length, name });
      }
    }
    return found;
  };
}

const scratch = new DataView(new ArrayBuffer(65_536));
const scratchBytes = Buffer.from(scratch.buffer);

/** Returns the low byte of each character, so that four can be read at once. Valid until the next call. */
function bytesOf(text: string): DataView {
  if (text.length <= scratch.byteLength) {
    scratchBytes.write(text, 'latin1');
    return scratch;
  }
  const bytes = Buffer.from(text, 'latin1');
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A value that is too short to mask everywhere. */
export interface ShortValue {
  readonly value: string;
  readonly name: string;
  /** Names that keys before the value may use. */
  readonly lookups: readonly Lookup[];
}

const WORDS: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'pass', 'pwd', 'pin', 'secret', 'clientsecret', 'secretkey'],
  ...['token', 'accesstoken', 'refreshtoken', 'authtoken', 'apikey', 'accesskey', 'privatekey'],
  ...['credential', 'credentials', 'authorization', 'auth'],
]);

// The end of an unquoted value.
const END = /\.?(?:$|[\s"'`\\&,;#<>()[\]{}|])/y;
// Number of characters to search backwards for a key or the user of a URL.
const SEARCH_BACK = 128;
const KEY = /([\p{L}\p{N}_./-]+)\]?\\*["'`]?\s*$/u;
const USER = /:\/\/[^\s/?#@:"'`\\]*$/;
const BASIC = /\b[Bb]asic\s+([\w+/-]+=*)/g;

/**
 * Finds short values that their context identifies. The whole value, quoted or not, must follow `:` or `=` and a key, which is
 * a name of its secret or one of `WORDS`; or follow `Bearer` or `Basic`; or be the password of a URL or of Basic credentials.
 */
export function shortValues(values: readonly ShortValue[]): Find {
  if (values.length === 0) return () => [];
  const owners = new Map<string, { readonly name: string; readonly keys: ReadonlySet<string> }[]>();
  const keys = new Map<string, ReadonlySet<string>>();
  for (const { value, name, lookups } of values) {
    if (!keys.has(name)) keys.set(name, keysOf(name, lookups));
    const list = owners.get(value) ?? [];
    owners.set(value, list);
    if (list.at(-1)?.name !== name) list.push({ name, keys: keys.get(name) as ReadonlySet<string> });
  }
  const any = [...owners.keys()]
    .sort((a, b) => b.length - a.length)
    .map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('|');
  const pattern = new RegExp(
    `(?:[:=]\\s*(\\\\*["'\`])?((?:[Bb]earer|[Bb]asic)\\s+)?|\\b([Bb]earer\\s+))(${any})`,
    'g',
  );

  return (text) => {
    const found: Match[] = [];
    // `matchAll` would copy the regular expression on each call.
    for (let candidate = pattern.exec(text); candidate !== null; candidate = pattern.exec(text)) {
      const [whole, quote, schemeInValue, scheme = schemeInValue, value = ''] = candidate;
      const end = candidate.index + whole.length;
      const before = text.slice(Math.max(0, candidate.index - SEARCH_BACK), candidate.index);
      const inUrl = text[end] === '@' && USER.test(before);
      if (!inUrl && !(quote === undefined ? endsAt(text, end) : text.startsWith(quote, end))) continue;
      const key = plain(KEY.exec(before)?.[1] ?? '');
      const list = owners.get(value) ?? [];
      const owner = list.find((one) => one.keys.has(key));
      if (owner === undefined && !inUrl && scheme === undefined && !WORDS.has(key)) continue;
      found.push({ start: end - value.length, end, name: (owner ?? list[0])?.name ?? '' });
    }
    for (let basic = BASIC.exec(text); basic !== null; basic = BASIC.exec(text)) {
      const [whole, encoded = ''] = basic;
      const credentials = Buffer.from(encoded, 'base64').toString();
      const owner = owners.get(credentials.slice(credentials.indexOf(':') + 1))?.[0];
      const end = basic.index + whole.length;
      if (owner !== undefined) found.push({ start: end - encoded.length, end, name: owner.name });
    }
    return found;
  };
}

function keysOf(name: string, lookups: readonly Lookup[]): ReadonlySet<string> {
  return new Set([name, ...lookups.flatMap((one) => [one.name, one.file, one.vault, ...one.env])].map(plain));
}

/** Returns a key in lower case, without separators between words. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

function endsAt(text: string, position: number): boolean {
  END.lastIndex = position;
  return END.test(text);
}
