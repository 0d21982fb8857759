import type { Lookup } from '../secret/lookup';
import type { Match } from './mask';

/** Finds the parts of a text to mask, in any order. Matches may overlap. */
export type Find = (text: string) => readonly Match[];

/** A form of a value that is masked everywhere. It has at least six characters. */
export interface LongForm {
  /** The form, or the beginning of `whole`. */
  readonly text: string;
  readonly hash: number;
  /** Returns a form that is too long for the table. A text that begins like it is masked as far as it is equal. */
  readonly whole: (() => string) | undefined;
}

const WORD = 4;
const MAX_STEP = 8;
const MIN_BITS = 12;
const GOLDEN = 0x9e3779b1;
const BASE = 0x01000193;

export function longForm(text: string, whole?: () => string): LongForm {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  return { text, hash, whole };
}

/**
 * Finds long forms with a hash table of four-character words. The time depends only on the length of the text: one position
 * in every `step` is looked up, and `step` is small enough that each form has a whole word at one of them. The table has
 * the first `step` words of each form, one for each alignment. Where a word occurs, the hash of the text from there is looked up
 * once for each length of the forms with that word, so values that begin alike (`postgres://`, `eyJhbGci`) cost no more.
 *
 * Of matches that overlap, it returns the union, with the name of the first.
 *
 * @param values Forms, each with the name of its secret. The first name of a form counts.
 */
export function longValues(values: Iterable<readonly [form: LongForm, name: string]>): Find {
  const all = [...values];
  let shortest = MAX_STEP + WORD - 1;
  for (const [{ text }] of all) if (text.length < shortest) shortest = text.length;
  const step = shortest - WORD + 1;
  const words = new PairTable(all.length * step);
  const forms = new PairTable(all.length);
  const lengths: { readonly length: number; readonly power: number }[] = [];
  const lengthIndexes = new Map<number, number>();

  for (const [index, [{ text, hash, whole }]] of all.entries()) {
    let isNew = true;
    for (let slot = forms.first(hash); isNew && slot >= 0; slot = forms.next(slot, hash)) {
      const [other] = all[forms.value(slot)] as readonly [LongForm, string];
      // Forms that begin alike may end differently.
      isNew = other.text !== text || whole !== undefined || other.whole !== undefined;
    }
    if (!isNew) continue;
    forms.add(hash, index);
    let lengthIndex = lengthIndexes.get(text.length);
    if (lengthIndex === undefined) {
      lengthIndex = lengths.length;
      lengthIndexes.set(text.length, lengthIndex);
      lengths.push({ length: text.length, power: powerOf(text.length) });
    }
    let word = 0;
    for (let at = 0; at < step + WORD - 1; at += 1) {
      word = (word >>> 8) | (text.charCodeAt(at) << 24);
      const place = at - WORD + 1;
      if (place >= 0) words.addOnce(word, lengthIndex * MAX_STEP + place);
    }
  }

  return (text) => {
    const found: { start: number; end: number; name: string }[] = [];
    const bytes = bytesOf(text);
    let hashes: Int32Array | undefined;
    let last: (typeof found)[number] | undefined;
    for (let position = 0; position <= text.length - WORD; position += step) {
      const word = bytes.getInt32(position, true);
      for (let entry = words.first(word); entry >= 0; entry = words.next(entry, word)) {
        const value = words.value(entry);
        const { length, power } = lengths[value >> 3] as (typeof lengths)[number];
        const start = position - (value & 7);
        const end = start + length;
        const within = last !== undefined && start >= last.start && start < last.end;
        if (start < 0 || end > text.length || (within && end <= (last as Match).end)) continue;
        hashes ??= hashesOf(text);
        const hash = ((hashes[end] as number) - Math.imul(hashes[start] as number, power)) | 0;
        for (let slot = forms.first(hash); slot >= 0; slot = forms.next(slot, hash)) {
          const [form, name] = all[forms.value(slot)] as readonly [LongForm, string];
          // Where values overlap many times, comparing each would take the square of the time. Equal hashes are enough.
          if (form.text.length !== length || !(within || text.startsWith(form.text, start))) continue;
          const reach = form.whole === undefined ? end : endOfCommon(text, start, end, form.whole());
          if (last === undefined || start < last.start || start >= last.end) {
            last = { start, end: reach, name };
            found.push(last);
          } else if (reach > last.end) {
            if (start === last.start) last.name = name;
            last.end = reach;
          }
        }
      }
    }
    return found;
  };
}

/** Pairs of integers, found by the first. */
class PairTable {
  readonly #shift: number;
  readonly #last: number;
  // Each slot has a key, then the value plus 1. 0 is a free slot.
  readonly #slots: Int32Array;

  constructor(count: number) {
    const bits = Math.max(MIN_BITS, Math.ceil(Math.log2(count * 2)));
    this.#shift = 32 - bits;
    this.#slots = new Int32Array(2 << bits);
    this.#last = this.#slots.length - 1;
  }

  add(key: number, value: number): void {
    const slots = this.#slots;
    let slot = this.#slotOf(key);
    while (slots[slot + 1] !== 0) slot = (slot + 2) & this.#last;
    slots[slot] = key;
    slots[slot + 1] = value + 1;
  }

  addOnce(key: number, value: number): void {
    const slots = this.#slots;
    let slot = this.#slotOf(key);
    for (; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      if (slots[slot] === key && slots[slot + 1] === value + 1) return;
    }
    slots[slot] = key;
    slots[slot + 1] = value + 1;
  }

  /** Returns the first slot with a key, or -1. */
  first(key: number): number {
    return this.#from(this.#slotOf(key), key);
  }

  next(slot: number, key: number): number {
    return this.#from((slot + 2) & this.#last, key);
  }

  value(slot: number): number {
    return (this.#slots[slot + 1] as number) - 1;
  }

  #slotOf(key: number): number {
    return (Math.imul(key, GOLDEN) >>> this.#shift) * 2;
  }

  #from(start: number, key: number): number {
    const slots = this.#slots;
    for (let slot = start; slots[slot + 1] !== 0; slot = (slot + 2) & this.#last) {
      if (slots[slot] === key) return slot;
    }
    return -1;
  }
}

/** Returns `BASE ** exponent`, modulo 2 ** 32. */
function powerOf(exponent: number): number {
  let power = 1;
  for (let rest = exponent, square = BASE; rest > 0; rest >>= 1, square = Math.imul(square, square)) {
    if (rest & 1) power = Math.imul(power, square);
  }
  return power;
}

let scratchHashes = new Int32Array(4_096);

/** Returns the hash of each beginning of a text, from which the hash of any part follows. Valid until the next call. */
function hashesOf(text: string): Int32Array {
  const reused = text.length < 65_536;
  if (reused && text.length >= scratchHashes.length) scratchHashes = new Int32Array(65_536);
  const hashes = reused ? scratchHashes : new Int32Array(text.length + 1);
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) {
    hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
    hashes[at + 1] = hash;
  }
  return hashes;
}

/** Returns the end of the part that `text`, from `start`, shares with `whole`. It is equal up to `end`. */
function endOfCommon(text: string, start: number, end: number, whole: string): number {
  let at = end;
  const limit = Math.min(text.length, start + whole.length);
  while (at < limit && text.charCodeAt(at) === whole.charCodeAt(at - start)) at += 1;
  return at;
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
