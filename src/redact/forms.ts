import type { Definition } from '../definitions/definition';
import { builtin } from '../internal/builtins';
import { type Secret, unseal } from '../secret/secret';
import { asList, KEY_BYTES } from './byte-lists';
import { EQUALS } from './characters';
import { type Form, MIN_LENGTH } from './form';
import { MAX_LENGTH } from './hashes';
import { linesOf, partsOf } from './parts';
import { signsOf } from './views';

// 42 bits, the minimum that a value of six bytes yields. With 10,000 such cores, the probability that a megabyte of unrelated
// base64 contains one of them is below one percent. Cores of six characters would occur sixty times as often.
const MIN_CORE_LENGTH = 7;
/** Fewer bytes, as hex, are shorter than `MIN_LENGTH`. */
const MIN_BYTES = 3;
const MAX_DEPTH = 16;
/** Of longer values, only the beginning is encoded in advance. */
const MAX_BYTES = MAX_LENGTH / 2;

/** What JSON escapes, and surrogates, which it escapes unless they are pairs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them.
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * The forms in which a value may be written. They need no JSON or URL escapes, because those are decoded in the text. Forms of
 * less than `MIN_LENGTH` characters are masked only after a key that identifies them.
 */
export class Forms {
  readonly all: Form[] = [];
  /** The number of forms in all. */
  count = 0;
  /** The signs that the forms contain, as `signsOf` returns them. */
  signs = 0;
  hasBytes = false;
  hasShort = false;
  readonly #known = new Map<string, Form>();

  constructor(box: Secret<unknown>, definition: Definition<unknown> | undefined) {
    const value = unseal(box);
    this.#addValue(definition?.sensitive === undefined ? value : definition.sensitive(value), 0);
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
      else this.#addShort(part);
    }
    this.#addLines(text);
  }

  /** Adds the lines of a text, also without the padding of base64. */
  #addLines(whole: string): void {
    const { text, places } = linesOf(whole);
    const forms: number[] = [];
    for (let at = 0; at < places.length; at += 2) {
      const start = places[at] as number;
      const end = places[at + 1] as number;
      if (end - start > MAX_LENGTH) {
        this.#add({ text: text.slice(start, end), least: MAX_BYTES, inUrl: true });
        continue;
      }
      let last = end;
      while (last > start && text.charCodeAt(last - 1) === EQUALS) last -= 1;
      if (last > start) forms.push(start, last);
      if (last < end && last - start < MIN_LENGTH) forms.push(start, end);
      if (last - start < MIN_LENGTH) this.hasShort = true;
    }
    if (forms.length === 0) return;
    // Line ends are not part of a line.
    this.signs |= signsOf(text) & ~LINE_ENDS;
    this.count += forms.length / 2;
    this.all.push({ text, places: Int32Array.from(forms), least: 0, inUrl: true });
  }

  #addEncodings(text: string): void {
    if (text.length < MIN_LENGTH) {
      this.#addShort(text);
      return;
    }
    this.#addWhole(text);
    // Web forms encode a space as `+`. Their other escapes are URL escapes.
    if (text.includes(' ')) this.#addWhole(text.replaceAll(' ', '+'));
    this.#addBase64OfText(text, (part) => part);
    // The payload of a token contains the value as JSON.
    if (ESCAPED.test(text)) this.#addBase64OfText(text, (part) => JSON.stringify(part).slice(1, -1));
  }

  #addBytes(bytes: Buffer): void {
    this.#addBase64(bytes.subarray(0, MAX_BYTES), bytes.length > MAX_BYTES ? () => bytes : undefined);
    if (bytes.length < MIN_BYTES) return;
    this.hasBytes = true;
    // Lists of numbers have line ends in `inspect` and keys in JSON.
    this.signs |= IN_LISTS;
    const part = bytes.subarray(0, MAX_BYTES / 2);
    const isWhole = part.length === bytes.length;
    const hex = part.toString('hex');
    this.#addStart(hex, isWhole ? undefined : () => bytes.toString('hex'));
    this.#addStart(hex.toUpperCase(), isWhole ? undefined : () => bytes.toString('hex').toUpperCase());
    const least = Math.min(bytes.length, KEY_BYTES) * 2;
    this.#add({ text: asList(part), least, whole: isWhole ? undefined : () => asList(bytes) });
    try {
      this.#addText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      // Decoding what is not text replaces bytes. A character has up to four, so the last may be incomplete.
      for (const encoding of ['utf8', 'latin1'] as const) {
        const text = bytes.toString(encoding, 0, MAX_BYTES);
        if (text.replaceAll('\ufffd', '').length < MIN_LENGTH) continue;
        if (bytes.length <= MAX_BYTES) this.#addStart(text, undefined);
        else this.#addStart(text.slice(0, -4), () => bytes.toString(encoding));
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
    const padded = Buffer.alloc(start.length + 2);
    padded.set(start, 2);
    const text = padded.toString('base64', 2);
    const core = coreEnd(start, 0);
    const least = core < MIN_CORE_LENGTH ? withoutPadding(text) : core;
    if (least > 0 && least < MIN_LENGTH) {
      this.#addShort(text, true);
      if (least < text.length) this.#addShort(text.slice(0, least), true);
    } else if (least > 0) {
      this.#add({ text, least, whole: whole && (() => whole().toString('base64')), inUrl: true });
    }
    for (const before of [1, 2]) {
      const end = coreEnd(start, before);
      if (end - before - 1 < MIN_CORE_LENGTH) continue;
      const part = padded.toString('base64', 2 - before).slice(before + 1, end);
      this.#add({
        text: part,
        least: part.length,
        whole: whole && (() => coreOf(whole(), before)),
        inUrl: true,
      });
    }
  }

  #addShort(text: string, inUrl = false): void {
    if (text === '' || text.length > MAX_LENGTH) return;
    this.hasShort = true;
    this.#add({ text, least: text.length, inUrl, isShort: true });
  }

  #addWhole(text: string): void {
    this.#add({ text, least: text.length > MAX_LENGTH ? MAX_BYTES : text.length });
  }

  #addStart(text: string, whole: (() => string) | undefined): void {
    if (text.length >= MIN_LENGTH) this.#add({ text, least: text.length, whole });
  }

  #add(form: Form): void {
    const known = this.#known.get(form.text);
    if (known !== undefined && isCovered(form, known)) return;
    this.#known.set(form.text, form);
    this.signs |= signsOf(form.text);
    // The alphabets of base64 differ in what follows the beginning.
    if (form.whole !== undefined) this.signs |= IN_BASE64;
    this.count += 1;
    this.all.push(form);
  }
}

/** Returns true if another form with the same text stands for all that a form does. */
function isCovered(form: Form, other: Form): boolean {
  if (form.whole !== undefined || other.whole !== undefined || form.isShort !== other.isShort) return false;
  return other.least <= form.least && (other.inUrl === true || form.inUrl !== true);
}

const LINE_ENDS = signsOf('\r\n');
const IN_LISTS = signsOf('\n"');
const IN_BASE64 = signsOf('/');

/** Returns the core of bytes in base64, after `before` other bytes. */
function coreOf(bytes: Buffer, before: number): string {
  return Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .slice(before + 1, coreEnd(bytes, before));
}

function coreEnd(bytes: Buffer, before: number): number {
  return Math.floor(((before + bytes.length) * 8) / 6);
}

/** Returns the length of base64 without its padding. */
function withoutPadding(base64: string): number {
  let end = base64.length;
  while (base64.charCodeAt(end - 1) === EQUALS) end -= 1;
  return end;
}
