import { BACKSLASH, QUOTE, type Units } from './characters';

/** Longer outputs get memory of their own. */
const MAX_KEPT = 65_536;

let kept = new Uint16Array(2_048);

/** A text with masks, written in one pass. */
export class Output {
  readonly #text: Units;
  readonly #length: number;
  readonly #nameOf: (owner: number) => string;
  readonly #labels = new Map<number, string>();
  #units = kept;
  #size = 0;
  /** The position in the text up to which it is written. */
  #written = 0;
  /** All bits of the characters. */
  #bits = 0;

  constructor(text: Units, length: number, nameOf: (owner: number) => string) {
    this.#text = text;
    this.#length = length;
    this.#nameOf = nameOf;
    this.#reserve(length);
  }

  /** Writes a mask instead of a part of the text. Quotes have a number of backslashes before them, or are none if it is -1. */
  mask(start: number, end: number, owner: number, opening: number, closing: number): void {
    let label = this.#labels.get(owner);
    if (label === undefined) {
      label = labelOf(this.#nameOf(owner));
      this.#labels.set(owner, label);
    }
    this.#reserve(start - this.#written + label.length + opening + closing + 4);
    this.#copy(start);
    this.#quote(opening);
    for (let at = 0; at < label.length; at += 1) this.#put(label.charCodeAt(at));
    this.#quote(closing);
    this.#written = end;
  }

  finish(): string {
    this.#reserve(this.#length - this.#written);
    this.#copy(this.#length);
    const units = this.#units.subarray(0, this.#size);
    if (this.#size <= MAX_KEPT) kept = this.#units;
    if (this.#bits > 0xff) return Buffer.from(units.buffer, 0, units.byteLength).toString('utf16le');
    return Buffer.from(new Uint8Array(units).buffer).toString('latin1');
  }

  #copy(end: number): void {
    const text = this.#text;
    const units = this.#units;
    let size = this.#size;
    let bits = this.#bits;
    for (let at = this.#written; at < end; at += 1) {
      const code = text[at] as number;
      units[size] = code;
      size += 1;
      bits |= code;
    }
    this.#size = size;
    this.#bits = bits;
  }

  #quote(backslashes: number): void {
    if (backslashes < 0) return;
    for (let count = 0; count < backslashes; count += 1) this.#put(BACKSLASH);
    this.#put(QUOTE);
  }

  #put(code: number): void {
    this.#units[this.#size] = code;
    this.#size += 1;
    this.#bits |= code;
  }

  #reserve(count: number): void {
    const least = this.#size + count;
    if (least <= this.#units.length) return;
    const units = new Uint16Array(Math.max(least, this.#units.length * 2));
    units.set(this.#units.subarray(0, this.#size));
    this.#units = units;
  }
}

/** Returns the label of a name. Names may contain any character, so those that need escapes become `?`. */
function labelOf(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters must not reach a log line.
  return `[secret ${name.replace(/["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')}]`;
}
