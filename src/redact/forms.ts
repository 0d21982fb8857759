import type { Definition } from '../definitions/definition';
import { builtin } from '../internal/builtins';
import { type Secret, unseal } from '../secret/secret';
import type { LongForm } from './form-table';
import { linesOf, partsOf } from './parts';
import { SIGNS } from './views';

/** Shorter values occur in ordinary text, such as `dev` or `12345`. */
const MIN_LENGTH = 6;
// 42 bits, the minimum that a value of six bytes yields. With 10,000 such cores, the probability that a megabyte of unrelated
// base64 contains one of them is below one percent. Cores of six characters would occur sixty times as often.
const MIN_CORE_LENGTH = 7;
/** Fewer bytes, as hex, are shorter than `MIN_LENGTH`. */
const MIN_BYTES = 3;
const MAX_DEPTH = 16;
/** Of longer values, only the beginning is encoded in advance. */
const MAX_BYTES = 768;
/** Of longer forms, only the beginning is in the table. */
const MAX_LENGTH = MAX_BYTES * 2;
/** The lines of a text with more of them are added together. */
const MANY_LINES = 1000;

const ANY_SIGN = new RegExp(`[${SIGNS.map((sign) => (sign === '\\' ? '\\\\' : sign)).join('')}]`);

/** What JSON escapes, and surrogates, which it escapes unless they are pairs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them.
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** The forms in which a value may be written. They need no JSON or URL escapes, because those are decoded in the text. */
export interface Forms {
  /** Forms of at least `MIN_LENGTH` characters, which are masked everywhere. */
  readonly long: readonly LongForm[];
  /** Other forms, which are masked only after a key that identifies them. */
  readonly short: readonly string[];
  /** Bytes, which may be written as a list of numbers. */
  readonly bytes: readonly Uint8Array[];
  /** The characters of `SIGNS` that the forms contain. */
  readonly signs: readonly string[];
}

/** Returns the forms of the value in a box. */
export function formsOf(box: Secret<unknown>, definition: Definition<unknown> | undefined): Forms {
  const value = unseal(box);
  return new FormCollector(definition?.sensitive === undefined ? value : definition.sensitive(value)).forms;
}

class FormCollector {
  readonly #long = new Map<string, LongForm>();
  /** Forms that are too long to keep, and the lines of long texts. */
  readonly #large: LongForm[] = [];
  readonly #short = new Set<string>();
  readonly #bytes: Uint8Array[] = [];
  readonly #signs = new Set<string>();

  constructor(value: unknown) {
    this.#addValue(value, 0);
  }

  get forms(): Forms {
    return {
      long: [...this.#long.values(), ...this.#large],
      short: [...this.#short],
      bytes: this.#bytes,
      signs: [...this.#signs],
    };
  }

  #addValue(value: unknown, depth: number): void {
    const { isAnyArrayBuffer, isMap, isSet } = builtin('util').types;
    if (typeof value === 'string') this.#addText(value);
    else if (typeof value === 'number' || typeof value === 'bigint') this.#addText(String(value));
    else if (ArrayBuffer.isView(value)) {
      this.#addBytes(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
    } else if (isAnyArrayBuffer(value)) this.#addBytes(Buffer.from(value));
    else if (value instanceof URL) this.#addText(value.href);
    else if (typeof value === 'object' && value !== null && depth < MAX_DEPTH) {
      const parts = isMap(value) || isSet(value) ? value.values() : Object.values(value);
      for (const part of parts) this.#addValue(part, depth + 1);
    }
  }

  #addText(text: string): void {
    this.#addEncodings(text);
    for (const { text: part, isDistinct } of partsOf(text)) {
      if (isDistinct) this.#addEncodings(part);
      else this.#short.add(part);
    }
    this.#addLines(text);
  }

  #addLines(whole: string): void {
    const { text, places } = linesOf(whole);
    const isMany = places.length > MANY_LINES * 2;
    const other = isMany ? inUrl(text) : text;
    const hasOther = other === text ? () => false : searchOnward(text, ['+', '/']);
    const many: number[] = [];
    const manyInUrl: number[] = [];
    for (let at = 0; at < places.length; at += 2) {
      const start = places[at] as number;
      const end = places[at + 1] as number;
      if (!isMany || end - start < MIN_LENGTH || end - start > MAX_LENGTH) {
        const line = text.slice(start, end);
        this.#add(line);
        const lineInUrl = withoutPadding(inUrl(line));
        if (lineInUrl !== line) this.#add(lineInUrl);
        continue;
      }
      many.push(start, end);
      let last = end;
      while (text.charCodeAt(last - 1) === EQUALS) last -= 1;
      if (last === end && !hasOther(start, end)) continue;
      if (last - start < MIN_LENGTH) this.#add(other.slice(start, last));
      else manyInUrl.push(start, last);
    }
    if (many.length > 0) this.#addMany(text, many);
    if (manyInUrl.length > 0) this.#addMany(other, manyInUrl);
  }

  #addMany(text: string, places: readonly number[]): void {
    // Line ends are not part of a line.
    for (const sign of SIGNS) if (!'\r\n'.includes(sign) && text.includes(sign)) this.#signs.add(sign);
    this.#large.push({ text, places: Int32Array.from(places), least: 0 });
  }

  #addEncodings(text: string): void {
    this.#add(text);
    if (text.length < MIN_LENGTH) return;
    // Web forms encode a space as `+`. Their other escapes are URL escapes.
    if (text.includes(' ')) this.#add(text.replaceAll(' ', '+'));
    this.#addBase64OfText(text, (part) => part);
    // The payload of a token contains the value as JSON.
    if (ESCAPED.test(text)) this.#addBase64OfText(text, (part) => JSON.stringify(part).slice(1, -1));
  }

  #addBytes(bytes: Buffer): void {
    this.#addBase64(bytes.subarray(0, MAX_BYTES), bytes.length > MAX_BYTES ? () => bytes : undefined);
    if (bytes.length < MIN_BYTES) return;
    this.#bytes.push(bytes);
    // Lists of numbers have line ends in `inspect` and keys in JSON.
    for (const sign of ['\n', '"']) this.#signs.add(sign);
    const start = bytes.toString('hex', 0, MAX_BYTES / 2);
    const isWhole = bytes.length <= MAX_BYTES / 2;
    this.#add(start, isWhole ? undefined : () => bytes.toString('hex'));
    this.#add(start.toUpperCase(), isWhole ? undefined : () => bytes.toString('hex').toUpperCase());
    try {
      this.#addText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      // Decoding what is not text replaces bytes. A character has up to four, so the last may be incomplete.
      for (const encoding of ['utf8', 'latin1'] as const) {
        const text = bytes.toString(encoding, 0, MAX_BYTES);
        if (text.replaceAll('\ufffd', '').length < MIN_LENGTH) continue;
        if (bytes.length <= MAX_BYTES) this.#add(text);
        else this.#add(text.slice(0, -4), () => bytes.toString(encoding));
      }
    }
  }

  #addBase64OfText(text: string, write: (text: string) => string): void {
    // The character after the last may be half of a pair.
    const bytes = Buffer.from(write(text.slice(0, MAX_BYTES + 1)));
    const isWhole = text.length <= MAX_BYTES + 1 && bytes.length <= MAX_BYTES;
    this.#addBase64(bytes.subarray(0, MAX_BYTES), isWhole ? undefined : () => Buffer.from(write(text)));
  }

  /**
   * Adds bytes in base64, and their core for each alignment in longer base64. Three bytes make four characters, so the
   * encoding of a value depends on the number of bytes before it, modulo three. Its first and last characters may share bits
   * with neighbouring bytes; the core between them does not depend on the neighbours.
   *
   * @param whole Returns all bytes, if there are more than in `start`.
   */
  #addBase64(start: Buffer, whole: (() => Buffer) | undefined): void {
    const padded = Buffer.allocUnsafe(start.length + 2);
    padded[0] = 0;
    padded[1] = 0;
    padded.set(start, 2);
    const all = padded.toString('base64', 2);
    const least = coreEnd(start, 0);
    this.#addAlphabets(
      all,
      least < MIN_CORE_LENGTH ? withoutPadding(all).length : least,
      whole && (() => whole().toString('base64')),
    );
    for (const before of [1, 2]) {
      const core = padded.toString('base64', 2 - before).slice(before + 1, coreEnd(start, before));
      if (core.length < MIN_CORE_LENGTH) continue;
      this.#addAlphabets(core, core.length, whole && (() => coreOf(whole(), before)));
    }
  }

  #addAlphabets(text: string, least: number, whole: (() => string) | undefined): void {
    // The search knows that the alphabets differ in what follows the beginning.
    if (whole !== undefined) this.#signs.add('/');
    this.#add(text, whole, least);
    const other = least < MIN_LENGTH ? withoutPadding(inUrl(text)) : inUrl(text);
    if (other !== text) this.#add(other, whole, least);
  }

  /** Adds a form that its first `least` characters identify, or the beginning of the one that `whole` returns. */
  #add(text: string, whole?: () => string, least = text.length): void {
    if (ANY_SIGN.test(text)) for (const sign of SIGNS) if (text.includes(sign)) this.#signs.add(sign);
    if (least < MIN_LENGTH) {
      if (whole === undefined && text !== '') this.#short.add(text);
      return;
    }
    if (whole !== undefined) {
      this.#large.push({ text, least, whole });
      return;
    }
    const known = this.#long.get(text);
    const needed = least > MAX_LENGTH ? MAX_BYTES : least;
    if (known === undefined || known.least > needed) this.#long.set(text, { text, least: needed });
  }
}

/** Returns the core of bytes in base64, after `before` other bytes. */
function coreOf(bytes: Buffer, before: number): string {
  return Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .slice(before + 1, coreEnd(bytes, before));
}

function coreEnd(bytes: Buffer, before: number): number {
  return Math.floor(((before + bytes.length) * 8) / 6);
}

/** Returns base64 in the alphabet for URLs, with its padding. */
function inUrl(base64: string): string {
  return /[+/]/.test(base64) ? base64.replaceAll('+', '-').replaceAll('/', '_') : base64;
}

const EQUALS = 0x3d;

function withoutPadding(base64: string): string {
  let end = base64.length;
  while (base64.charCodeAt(end - 1) === EQUALS) end -= 1;
  return end === base64.length ? base64 : base64.slice(0, end);
}

/** Returns a function that returns true if one of the characters is at a place. Call it with increasing places. */
function searchOnward(text: string, characters: readonly string[]): (start: number, end: number) => boolean {
  const next = characters.map((character) => ({ character, at: -1 }));
  return (start, end) => {
    for (const one of next) {
      if (one.at < start) {
        const found = text.indexOf(one.character, start);
        one.at = found < 0 ? text.length : found;
      }
      if (one.at < end) return true;
    }
    return false;
  };
}
