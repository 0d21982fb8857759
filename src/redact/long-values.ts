import { FormTable, type LongForm, type RankOf } from './form-table';
import type { Finder, Match } from './mask';
import { PairTable } from './pair-table';

const WORD = 4;
/** The shortest form has six characters, which hold a word at each of three positions. */
const STEP = 3;
const BASE = 0x01000193;

/**
 * Finds long forms with a hash table of four-character words. The time depends only on the length of the text: one position
 * in every `STEP` is looked up, and the table has the first words of each form, one for each alignment. A value of many lines
 * has only one word for each line; while there is such a value, every position is looked up. Where a word occurs, the hash of
 * the text from there is looked up once for each length of the forms with that word, so values that begin alike
 * (`postgres://`, `eyJhbGci`) cost no more.
 *
 * Of matches that overlap, it returns the union, with the name of the first. Forms come and go with the values of each
 * generation; the others keep their places.
 */
export class LongValues implements Finder {
  readonly #words = new PairTable();
  readonly #forms: FormTable;
  readonly #rankOf: RankOf;
  readonly #lengths: { readonly length: number; readonly power: number }[] = [];
  readonly #lengthIndexes = new Map<number, number>();
  /** The number of texts whose forms have only one word. */
  #texts = 0;

  constructor(rankOf: RankOf) {
    this.#rankOf = rankOf;
    this.#forms = new FormTable(rankOf);
  }

  /** Makes room for more forms. */
  reserve(forms: readonly LongForm[]): void {
    let count = 0;
    let words = 0;
    for (const { places } of forms) {
      count += places === undefined ? 1 : places.length / 2;
      words += places === undefined ? STEP : places.length / 2;
    }
    this.#words.reserve(words);
    this.#forms.reserve(count);
  }

  /** Adds forms of a value of the secret `name`. Returns a number with which to remove them. */
  add(form: LongForm, name: string): number {
    const { text, places, least } = form;
    const index = this.#forms.addSource(form, name);
    const source = this.#forms.sourceAt(index);
    if (places === undefined) source.rows = this.#addRow(index, text, 0, least, STEP);
    else {
      this.#texts += 1;
      source.rows = new Int32Array(places.length / 2);
      for (let at = 0; at < places.length; at += 2) {
        const start = places[at] as number;
        source.rows[at / 2] = this.#addRow(index, text, start, (places[at + 1] as number) - start, 1);
      }
    }
    return index;
  }

  remove(index: number): void {
    const { form, rows } = this.#forms.sourceAt(index);
    const { text, places, least } = form;
    if (typeof rows === 'number') this.#removeRow(rows, index, text, 0, least, STEP);
    else if (places !== undefined) {
      this.#texts -= 1;
      for (let at = 0; at < places.length; at += 2) {
        const start = places[at] as number;
        const row = rows[at / 2] as number;
        if (row !== 0) this.#removeRow(row, index, text, start, (places[at + 1] as number) - start, 1);
      }
    }
    this.#forms.removeSource(index);
  }

  find(text: string): readonly Match[] {
    const words = this.#words;
    const forms = this.#forms;
    const step = this.#texts > 0 ? 1 : STEP;
    const found: { start: number; end: number; name: string }[] = [];
    const bytes = bytesOf(text);
    const wholes = new Map<LongForm, string>();
    let hashes: Int32Array | undefined;
    let last: (typeof found)[number] | undefined;
    for (let position = 0; position <= text.length - WORD; position += step) {
      const word = bytes.getInt32(position, true);
      for (let entry = words.first(word); entry >= 0; entry = words.next(entry, word)) {
        const value = words.value(entry);
        const place = value % STEP;
        if (place >= step) continue;
        const { length, power } = this.#lengths[(value / STEP) | 0] as { length: number; power: number };
        const start = position - place;
        const end = start + length;
        const within = last !== undefined && start >= last.start && start < last.end;
        if (start < 0 || end > text.length || (within && end <= (last as Match).end)) continue;
        hashes ??= hashesOf(text);
        const hash = ((hashes[end] as number) - Math.imul(hashes[start] as number, power)) | 0;
        for (let row = forms.first(hash); row !== 0; row = forms.next(row, hash)) {
          // Where values overlap many times, comparing each would take the square of the time. Equal hashes are enough.
          if (forms.lengthOf(row) !== length || !(within || forms.isAt(row, text, start))) continue;
          const reach = reachOf(forms.formOf(row), text, start, end, wholes);
          if (last === undefined || start < last.start || start >= last.end) {
            last = { start, end: reach, name: forms.nameOf(row) };
            found.push(last);
          } else if (start === last.start && reach >= last.end) {
            const name = forms.nameOf(row);
            if (reach > last.end || this.#rankOf(name) < this.#rankOf(last.name)) last.name = name;
            last.end = reach;
          } else if (reach > last.end) last.end = reach;
        }
      }
    }
    return found;
  }

  /** Adds the form at a place of a text. Returns its row, or 0 if it already stands elsewhere in the same text. */
  #addRow(source: number, text: string, start: number, length: number, words: number): number {
    const forms = this.#forms;
    const hash = hashOf(text, start, start + length);
    const known = forms.rowOf(source, start, length, hash);
    if (known !== 0) return forms.share(known, source, start) ? known : 0;
    const value = this.#lengthIndexOf(length) * STEP;
    for (let place = 0; place < words; place += 1)
      this.#words.add(wordAt(text, start + place), value + place);
    return forms.create(source, start, length, hash);
  }

  #removeRow(row: number, source: number, text: string, start: number, length: number, words: number): void {
    if (!this.#forms.release(row, source)) return;
    const value = this.#lengthIndexOf(length) * STEP;
    for (let place = 0; place < words; place += 1)
      this.#words.remove(wordAt(text, start + place), value + place);
  }

  #lengthIndexOf(length: number): number {
    let index = this.#lengthIndexes.get(length);
    if (index === undefined) {
      index = this.#lengths.length;
      this.#lengthIndexes.set(length, index);
      this.#lengths.push({ length, power: powerOf(length) });
    }
    return index;
  }
}

/** Returns the low bytes of four characters, as `DataView.getInt32` reads them. */
function wordAt(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    (text.charCodeAt(at + 3) << 24)
  );
}

function hashOf(text: string, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  return hash;
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

/** Returns the end of the part that `text`, from `start`, shares with a form. It is equal up to `end`. */
function reachOf(
  form: LongForm,
  text: string,
  start: number,
  end: number,
  wholes: Map<LongForm, string>,
): number {
  if (form.places !== undefined) return end;
  let whole = form.text;
  if (form.whole !== undefined) {
    whole = wholes.get(form) ?? form.whole();
    wholes.set(form, whole);
  }
  let at = end;
  const limit = Math.min(text.length, start + whole.length);
  while (at < limit && isSame(text.charCodeAt(at), whole.charCodeAt(at - start))) at += 1;
  return at;
}

/** Returns true for equal characters, and for those that differ only in the alphabet of base64. */
function isSame(one: number, other: number): boolean {
  return one === other || (one === 0x2d && other === 0x2b) || (one === 0x5f && other === 0x2f);
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
