import type { Definition } from '../definitions/definition';
import { builtin } from '../internal/builtins';
import { type Secret, unseal } from '../secret/secret';
import { type LongForm, longForm } from './find-values';
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

const known = new WeakMap<Secret<unknown>, Forms>();

/** Returns the forms of the value in a box. Cached per box, because most boxes outlive many generations. */
export function formsOf(box: Secret<unknown>, definition: Definition<unknown> | undefined): Forms {
  let forms = known.get(box);
  if (forms === undefined) {
    const value = unseal(box);
    forms = new FormCollector(definition?.sensitive === undefined ? value : definition.sensitive(value))
      .forms;
    known.set(box, forms);
  }
  return forms;
}

class FormCollector {
  /** For each form, or the beginning of a form, what returns the whole. */
  readonly #long = new Map<string, (() => string) | undefined>();
  readonly #short = new Set<string>();
  readonly #bytes: Uint8Array[] = [];
  readonly #signs = new Set<string>();

  constructor(value: unknown) {
    this.#addValue(value, 0);
  }

  get forms(): Forms {
    return {
      long: Array.from(this.#long, ([text, whole]) => longForm(text, whole)),
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
    for (const line of linesOf(text)) {
      this.#add(line);
      this.#add(inUrl(line));
    }
  }

  #addEncodings(text: string): void {
    this.#add(text);
    if (text.length < MIN_LENGTH) return;
    // Web forms encode a space as `+`. Their other escapes are URL escapes.
    this.#add(text.replaceAll(' ', '+'));
    this.#addBase64(() => Buffer.from(text));
    // The payload of a token contains the value as JSON.
    const inJson = JSON.stringify(text).slice(1, -1);
    if (inJson !== text) this.#addBase64(() => Buffer.from(inJson));
  }

  #addBytes(bytes: Buffer): void {
    this.#addBase64(() => bytes);
    if (bytes.length < MIN_BYTES) return;
    this.#bytes.push(bytes);
    // Lists of numbers have line ends in `inspect` and keys in JSON.
    for (const sign of ['\n', '"']) this.#signs.add(sign);
    const start = bytes.subarray(0, MAX_BYTES / 2).toString('hex');
    this.#add(start, () => bytes.toString('hex'));
    this.#add(start.toUpperCase(), () => bytes.toString('hex').toUpperCase());
    try {
      this.#addText(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      // Decoding what is not text replaces bytes. A character has up to four, so the last may be incomplete.
      for (const encoding of ['utf8', 'latin1'] as const) {
        const text = bytes.subarray(0, MAX_BYTES).toString(encoding);
        const isWhole = bytes.length <= MAX_BYTES;
        if (text.replaceAll('\ufffd', '').length < MIN_LENGTH) continue;
        this.#add(isWhole ? text : text.slice(0, -4), () => bytes.toString(encoding));
      }
    }
  }

  /**
   * Adds bytes in base64, and their core for each alignment in longer base64. Three bytes make four characters, so the
   * encoding of a value depends on the number of bytes before it, modulo three. Its first and last characters may share bits
   * with neighbouring bytes; the core between them does not depend on the neighbours.
   */
  #addBase64(read: () => Buffer): void {
    const bytes = read();
    const start = bytes.subarray(0, MAX_BYTES);
    const whole = start.length === bytes.length ? undefined : read;
    this.#addAlphabets(start.toString('base64'), whole && (() => whole().toString('base64')));
    for (let before = 0; before < 3; before += 1) {
      const core = coreOf(start, before);
      if (core.length >= MIN_CORE_LENGTH) this.#addAlphabets(core, whole && (() => coreOf(whole(), before)));
    }
  }

  #addAlphabets(text: string, whole: (() => string) | undefined): void {
    this.#add(text, whole);
    this.#add(inUrl(text), whole && (() => inUrl(whole())));
  }

  /** Adds a form, or the beginning of the one that `whole` returns. */
  #add(text: string, whole?: () => string): void {
    for (const sign of SIGNS) if (text.includes(sign)) this.#signs.add(sign);
    if (text.length < MIN_LENGTH) {
      if (whole === undefined && text !== '') this.#short.add(text);
      return;
    }
    const isLong = text.length > MAX_BYTES * 2;
    const start = isLong ? text.slice(0, MAX_BYTES) : text;
    if (!this.#long.has(start)) this.#long.set(start, isLong ? () => text : whole);
  }
}

function coreOf(bytes: Buffer, before: number): string {
  const start = Math.ceil((before * 8) / 6);
  const end = Math.floor(((before + bytes.length) * 8) / 6);
  return Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .slice(start, end);
}

/** Returns base64 in the alphabet for URLs. */
function inUrl(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}
