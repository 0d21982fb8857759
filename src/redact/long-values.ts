import type { Finder, Match } from './mask';
import { PairTable } from './pair-table';

/** A form of a value that is masked everywhere. It has at least six characters. */
export interface LongForm {
  /** The form, or the beginning of `whole`. */
  readonly text: string;
  readonly hash: number;
  /** Returns a form that is too long for the table. A text that begins like it is masked as far as it is equal. */
  readonly whole: (() => string) | undefined;
}

/** Returns the place of a name in the order of the store. The first name of a form counts. */
export type RankOf = (name: string) => number;

interface Row {
  readonly form: LongForm;
  name: string;
  /** The names of other values with the same form. */
  others: string[] | undefined;
}

const WORD = 4;
const MAX_STEP = 8;
const BASE = 0x01000193;

export function longForm(text: string, whole?: () => string): LongForm {
  let hash = 0;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  return { text, hash, whole };
}

/**
 * Finds long forms with a hash table of four-character words. The time depends only on the length of the text: one position
 * in every `step` is looked up, and `step` is small enough that each form has a whole word at one of them. The table has
 * the first words of each form, one for each alignment. Where a word occurs, the hash of the text from there is looked up
 * once for each length of the forms with that word, so values that begin alike (`postgres://`, `eyJhbGci`) cost no more.
 *
 * Of matches that overlap, it returns the union, with the name of the first. Forms come and go with the values of each
 * generation; the others keep their places.
 */
export class LongValues implements Finder {
  readonly #words = new PairTable();
  readonly #forms = new PairTable();
  readonly #rows: (Row | undefined)[] = [];
  readonly #freeRows: number[] = [];
  readonly #lengths: { readonly length: number; readonly power: number }[] = [];
  readonly #lengthIndexes = new Map<number, number>();
  /** The number of forms of each length that needs a smaller step. */
  readonly #shortest = new Array<number>(MAX_STEP + WORD - 1).fill(0);
  readonly #rankOf: RankOf;

  constructor(rankOf: RankOf) {
    this.#rankOf = rankOf;
  }

  /** Makes room for that many more forms. */
  reserve(count: number): void {
    this.#words.reserve(count * MAX_STEP);
    this.#forms.reserve(count);
  }

  /** Adds a form of a value of the secret `name`. */
  add(form: LongForm, name: string): void {
    const row = this.#rows[this.#rowOf(form)];
    if (row !== undefined) {
      row.others ??= [];
      row.others.push(name);
      return;
    }
    const index = this.#freeRows.pop() ?? this.#rows.length;
    this.#rows[index] = { form, name, others: undefined };
    this.#forms.add(form.hash, index);
    const { length } = form.text;
    if (length < this.#shortest.length) this.#shortest[length] = (this.#shortest[length] as number) + 1;
    this.#eachWord(form.text, (word, value) => this.#words.add(word, value));
  }

  /** Removes a form that was added with the same name. */
  remove(form: LongForm, name: string): void {
    const index = this.#rowOf(form);
    const row = this.#rows[index] as Row;
    const other = row.others?.pop();
    if (other !== undefined) {
      if (row.name === name) row.name = other;
      else if (other !== name) (row.others as string[])[(row.others as string[]).indexOf(name)] = other;
      return;
    }
    this.#rows[index] = undefined;
    this.#freeRows.push(index);
    this.#forms.remove(form.hash, index);
    const { length } = form.text;
    if (length < this.#shortest.length) this.#shortest[length] = (this.#shortest[length] as number) - 1;
    this.#eachWord(form.text, (word, value) => this.#words.remove(word, value));
  }

  find(text: string): readonly Match[] {
    const words = this.#words;
    const forms = this.#forms;
    const short = this.#shortest.findIndex((count) => count > 0);
    const step = short < 0 ? MAX_STEP : short - WORD + 1;
    const found: { start: number; end: number; name: string }[] = [];
    const bytes = bytesOf(text);
    let hashes: Int32Array | undefined;
    let last: (typeof found)[number] | undefined;
    for (let position = 0; position <= text.length - WORD; position += step) {
      const word = bytes.getInt32(position, true);
      for (let entry = words.first(word); entry >= 0; entry = words.next(entry, word)) {
        const value = words.value(entry);
        if ((value & 7) >= step) continue;
        const { length, power } = this.#lengths[value >> 3] as { length: number; power: number };
        const start = position - (value & 7);
        const end = start + length;
        const within = last !== undefined && start >= last.start && start < last.end;
        if (start < 0 || end > text.length || (within && end <= (last as Match).end)) continue;
        hashes ??= hashesOf(text);
        const hash = ((hashes[end] as number) - Math.imul(hashes[start] as number, power)) | 0;
        for (let slot = forms.first(hash); slot >= 0; slot = forms.next(slot, hash)) {
          const row = this.#rows[forms.value(slot)] as Row;
          const { form } = row;
          // Where values overlap many times, comparing each would take the square of the time. Equal hashes are enough.
          if (form.text.length !== length || !(within || text.startsWith(form.text, start))) continue;
          const reach = form.whole === undefined ? end : endOfCommon(text, start, end, form.whole());
          if (last === undefined || start < last.start || start >= last.end) {
            last = { start, end: reach, name: this.#nameOf(row) };
            found.push(last);
          } else if (reach > last.end) {
            if (start === last.start) last.name = this.#nameOf(row);
            last.end = reach;
          }
        }
      }
    }
    return found;
  }

  #nameOf({ name, others }: Row): string {
    if (others === undefined) return name;
    return others.reduce((first, other) => (this.#rankOf(other) < this.#rankOf(first) ? other : first), name);
  }

  /** Returns the index of the row with an equal form, or -1. Forms that begin alike may end differently. */
  #rowOf(form: LongForm): number {
    const forms = this.#forms;
    for (let slot = forms.first(form.hash); slot >= 0; slot = forms.next(slot, form.hash)) {
      const other = (this.#rows[forms.value(slot)] as Row).form;
      if (other === form) return forms.value(slot);
      if (other.text === form.text && other.whole === undefined && form.whole === undefined)
        return forms.value(slot);
    }
    return -1;
  }

  #eachWord(text: string, run: (word: number, value: number) => void): void {
    let lengthIndex = this.#lengthIndexes.get(text.length);
    if (lengthIndex === undefined) {
      lengthIndex = this.#lengths.length;
      this.#lengthIndexes.set(text.length, lengthIndex);
      this.#lengths.push({ length: text.length, power: powerOf(text.length) });
    }
    let word = 0;
    const end = Math.min(text.length, MAX_STEP + WORD - 1);
    for (let at = 0; at < end; at += 1) {
      word = (word >>> 8) | (text.charCodeAt(at) << 24);
      const place = at - WORD + 1;
      if (place >= 0) run(word, lengthIndex * MAX_STEP + place);
    }
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
