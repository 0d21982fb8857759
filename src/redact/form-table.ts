import { EQUALS, type Units } from './characters';
import { type Form, MIN_LENGTH, type RankOf } from './form';
import { Hashes, hashOf, isEqual, isSame } from './hashes';
import { KeyTable, keyOf, pairsOf, ShortForms, STEP } from './key-table';
import { Matches } from './matches';

interface Source {
  readonly form: Form;
  readonly name: string;
  /** The row of each form, where 0 is one that stands twice in the same text. */
  rows: Int32Array;
}

interface Search {
  readonly units: Units;
  readonly length: number;
  readonly hashes: Hashes;
  /** What was found before the last match. */
  readonly found: Matches;
  /** The last match. */
  start: number;
  end: number;
  owner: number;
}

/** Tells the hashes of short forms from those of others. */
const SHORT = 0x5bd1e995;
const MIN_BITS = 10;
const GOLDEN = 0x9e3779b1;
/**
 * The integers of a row. `LENGTH` is twice the length, plus 1 for a form that continues after it. `NEXT` is another form with such
 * a hash, `TWIN` the same form of another value.
 */
const WIDTH = 6;
const SOURCE = 0;
const START = 1;
const LENGTH = 2;
const HASH = 3;
const NEXT = 4;
const TWIN = 5;

/**
 * The forms of all values, by the hash of the characters that identify them. A form is a row of integers that point into a
 * text, because a value of many lines has a hundred thousand. Row 0 means none.
 */
export class FormTable {
  #bits = MIN_BITS;
  #heads = new Int32Array(1 << MIN_BITS);
  #rows = new Int32Array(WIDTH << MIN_BITS);
  #size = 0;
  #used = WIDTH;
  #free = 0;
  readonly #sources: (Source | undefined)[] = [];
  readonly #freeSources: number[] = [];
  #keys = new KeyTable(0);
  /** The forms that were removed since the table of keys was made. */
  #removed = 0;
  /** The lengths and first characters of the short forms. */
  readonly short = new ShortForms();
  /** The first names of forms with twins. */
  readonly #names = new Map<number, number>();
  readonly #wholes = new Map<Form, string>();
  readonly #rankOf: RankOf;

  constructor(rankOf: RankOf) {
    this.#rankOf = rankOf;
  }

  /** Makes room for more forms, so that adding them never moves the others. Call it when ranks have changed, too. */
  reserve(count: number): void {
    this.#names.clear();
    const least = this.#used + count * WIDTH;
    if (least > this.#rows.length) {
      const rows = this.#rows;
      this.#rows = new Int32Array(Math.max(least, rows.length * 2));
      this.#rows.set(rows);
    }
    const all = this.#size + count;
    const bits = Math.ceil(Math.log2(all * 2));
    if (bits > this.#bits) this.#rehash(bits);
    if (all > this.#keys.capacity || this.#removed > this.#size) this.#makeKeys(all);
  }

  /** Adds forms of a value of the secret `name`. Returns the number of the source that they are. */
  add(form: Form, name: string): number {
    const { text, places, least } = form;
    const source = this.#freeSources.pop() ?? this.#sources.length;
    const rows = new Int32Array(places === undefined ? 1 : places.length / 2);
    this.#sources[source] = { form, name, rows };
    this.#names.clear();
    if (places === undefined) rows[0] = this.#addRow(source, text, 0, least);
    else {
      for (let index = 0; index < rows.length; index += 1) {
        const start = places[index * 2] as number;
        rows[index] = this.#addRow(source, text, start, (places[index * 2 + 1] as number) - start);
      }
    }
    return source;
  }

  remove(source: number): void {
    for (const row of this.#sourceAt(source).rows) if (row !== 0) this.#removeRow(row);
    this.#sources[source] = undefined;
    this.#freeSources.push(source);
    this.#names.clear();
  }

  nameOf(source: number): string {
    return this.#sourceAt(source).name;
  }

  /**
   * Finds long forms. The time depends only on the length of the text: the hash of a few characters at each position is looked
   * up, and where forms begin with it, the hash of the text from there, once for each of their lengths. So values that begin
   * alike (`postgres://`, `eyJhbGci`) cost no more. Of matches that overlap, it returns the union, with the owner of the first.
   *
   * @param room Memory for a number for each position of the text, and for its end.
   */
  find(units: Units, length: number, room: Int32Array): Matches {
    const keys = this.#keys;
    const hashes = new Hashes(units, room);
    const pairs = pairsOf(units, length);
    const search: Search = { units, length, hashes, found: new Matches(), start: -1, end: -1, owner: 0 };
    for (let index = 1; index < pairs.length; index += 1) {
      const key = keyOf(pairs[index - 1] as number, pairs[index] as number);
      if (!keys.mayHave(key)) continue;
      for (let before = STEP - 1; before >= 0; before -= 1) {
        const at = (index - 1) * STEP - before;
        let set = at < 0 ? 0 : keys.lengthsAt(key, before);
        for (; set !== 0; set &= set - 1) {
          for (const size of keys.lengthsOf(31 - Math.clz32(set & -set))) {
            if (at + size <= length && at + size > search.end) this.#addAt(search, at, size);
          }
        }
      }
    }
    if (search.end > 0) search.found.add(search.start, search.end, search.owner);
    this.#wholes.clear();
    return search.found;
  }

  /** Adds the forms of a size at a position to what a search found. */
  #addAt(search: Search, at: number, size: number): void {
    const rows = this.#rows;
    const hash = search.hashes.of(at, at + size);
    let row = this.#heads[this.#headOf(hash)] as number;
    for (; row !== 0; row = rows[row + NEXT] as number) {
      if (rows[row + HASH] !== hash || (rows[row + LENGTH] as number) >> 1 !== size) continue;
      // Where values overlap many times, comparing each would take the square of the time. Equal hashes are enough.
      const isWithin = at > search.start && at < search.end;
      if (!isWithin && !this.#isAt(row, search.units, at)) continue;
      const hasTail = ((rows[row + LENGTH] as number) & 1) !== 0;
      const end = hasTail ? this.#reachOf(row, search.units, search.length, at, at + size) : at + size;
      if (isWithin) {
        if (end > search.end) search.end = end;
      } else if (at > search.start) {
        if (search.end > 0) search.found.add(search.start, search.end, search.owner);
        search.start = at;
        search.end = end;
        search.owner = this.ownerOf(row);
      } else if (end >= search.end) {
        const other = this.ownerOf(row);
        if (end > search.end || this.isBefore(other, search.owner)) search.owner = other;
        search.end = end;
      }
    }
  }

  /** Returns the row of the short form of a length that is at a position of a text, or 0. */
  shortAt(units: Units, position: number, length: number, partHash: number): number {
    const hash = partHash ^ SHORT;
    for (let row = this.#first(hash); row !== 0; row = this.#next(row, hash)) {
      if (this.#lengthOf(row) === length && this.#isAt(row, units, position)) return row;
    }
    return 0;
  }

  /** Returns true if the characters that identify a form are at a position of a text. */
  #isAt(row: number, units: Units, position: number): boolean {
    const { text, inUrl } = this.#formOf(row);
    const from = this.#rows[row + START] as number;
    const length = this.#lengthOf(row);
    for (let at = 0; at < length; at += 1) {
      if (!isSame(units[position + at] as number, text.charCodeAt(from + at), inUrl)) return false;
    }
    return true;
  }

  /** Returns the end of the part of a text that is equal to a form, which it is from `start` to `end`. */
  #reachOf(row: number, units: Units, length: number, start: number, end: number): number {
    const form = this.#formOf(row);
    let at = end;
    if (form.places !== undefined) {
      const offset = (this.#rows[row + START] as number) - start;
      while (at < length && units[at] === EQUALS && form.text.charCodeAt(offset + at) === EQUALS) at += 1;
      return at;
    }
    let whole = form.text;
    if (form.whole !== undefined) {
      whole = this.#wholes.get(form) ?? form.whole();
      this.#wholes.set(form, whole);
    }
    const limit = Math.min(length, start + whole.length);
    while (at < limit && isSame(units[at] as number, whole.charCodeAt(at - start), form.inUrl)) at += 1;
    return at;
  }

  /** Returns the source of a form, of those with the same form the one whose name comes first. */
  ownerOf(row: number): number {
    const rows = this.#rows;
    let owner = rows[row + SOURCE] as number;
    if (rows[row + TWIN] === 0) return owner;
    const known = this.#names.get(row);
    if (known !== undefined) return known;
    for (const source of this.#ownersOf(row)) if (this.isBefore(source, owner)) owner = source;
    this.#names.set(row, owner);
    return owner;
  }

  /** Returns the sources of a form. */
  *#ownersOf(row: number): Generator<number> {
    for (let one = row; one !== 0; one = this.#rows[one + TWIN] as number) {
      yield this.#rows[one + SOURCE] as number;
    }
  }

  /** Returns the sources of a short form, also those that have it as a line of a value. */
  *ownersOfShort(row: number): Generator<number> {
    const hash = this.#rows[row + HASH] as number;
    for (let one = this.#first(hash); one !== 0; one = this.#next(one, hash)) {
      if (this.#lengthOf(one) === this.#lengthOf(row)) yield* this.#ownersOf(one);
    }
  }

  /** Returns true if the name of a source comes before that of another. */
  isBefore(source: number, other: number): boolean {
    return this.#rankOf(this.nameOf(source)) < this.#rankOf(this.nameOf(other));
  }

  #addRow(source: number, text: string, start: number, length: number): number {
    const isShort = this.#sourceAt(source).form.isShort === true || length < MIN_LENGTH;
    const hash = hashOf(text, start, length) ^ (isShort ? SHORT : 0);
    const twin = this.#twinOf(source, start, length, hash);
    if (twin !== 0) {
      const next = this.#rows[twin + TWIN] as number;
      const isOfSource = (row: number) => row !== 0 && this.#rows[row + SOURCE] === source;
      if (isOfSource(twin) || isOfSource(next)) return 0;
    }
    if (this.#free === 0 && this.#used >= this.#rows.length) this.reserve(1);
    if (this.#size * 2 >= this.#heads.length) this.#rehash(this.#bits + 1);
    const rows = this.#rows;
    const row = this.#free === 0 ? this.#used : this.#free;
    if (row === this.#used) this.#used += WIDTH;
    else this.#free = rows[row + NEXT] as number;
    rows[row + SOURCE] = source;
    rows[row + START] = start;
    rows[row + LENGTH] = length * 2 + (this.#hasTail(source, start + length) ? 1 : 0);
    rows[row + HASH] = hash;
    rows[row + TWIN] = 0;
    this.#size += 1;
    if (isShort) this.short.add(text.charCodeAt(start), length, 1);
    if (twin !== 0) {
      rows[row + TWIN] = rows[twin + TWIN] as number;
      rows[twin + TWIN] = row;
      return row;
    }
    this.#link(row);
    if (!isShort) this.#keys.add(text, start, length, this.#sourceAt(source).form.inUrl === true);
    return row;
  }

  #removeRow(row: number): void {
    const rows = this.#rows;
    const length = this.#lengthOf(row);
    const twin = rows[row + TWIN] as number;
    const head = this.#headOf(rows[row + HASH] as number);
    let before = 0;
    let one = this.#heads[head] as number;
    while (one !== row && !this.#removeTwin(one, row)) {
      before = one;
      one = rows[one + NEXT] as number;
    }
    if (one === row) {
      const next = rows[row + NEXT] as number;
      const follower = twin === 0 ? next : twin;
      if (twin !== 0) rows[twin + NEXT] = next;
      if (before === 0) this.#heads[head] = follower;
      else rows[before + NEXT] = follower;
    }
    if (this.#isShort(row)) {
      this.short.add(this.#formOf(row).text.charCodeAt(rows[row + START] as number), length, -1);
    }
    rows[row + NEXT] = this.#free;
    this.#free = row;
    this.#size -= 1;
    this.#removed += 1;
  }

  /** Removes a row from the twins of another. Returns false if it is not one of them. */
  #removeTwin(first: number, row: number): boolean {
    const rows = this.#rows;
    for (let one = first; one !== 0; one = rows[one + TWIN] as number) {
      if (rows[one + TWIN] !== row) continue;
      rows[one + TWIN] = rows[row + TWIN] as number;
      return true;
    }
    return false;
  }

  /** Returns the row of the same form, or 0. Forms that begin alike may end differently. */
  #twinOf(source: number, start: number, length: number, hash: number): number {
    const { text, places, whole, inUrl } = this.#sourceAt(source).form;
    if (whole !== undefined) return 0;
    for (let row = this.#first(hash); row !== 0; row = this.#next(row, hash)) {
      const other = this.#formOf(row);
      if (this.#lengthOf(row) !== length || other.whole !== undefined || other.inUrl !== inUrl) continue;
      if ((other.places === undefined) !== (places === undefined)) continue;
      const at = this.#rows[row + START] as number;
      if (places === undefined ? other.text === text : isEqual(text, start, other.text, at, length))
        return row;
    }
    return 0;
  }

  /** Returns true if a form may continue after the characters that identify it. */
  #hasTail(source: number, end: number): boolean {
    const { text, places, whole } = this.#sourceAt(source).form;
    if (places !== undefined) return text.charCodeAt(end) === EQUALS;
    return whole !== undefined || end < text.length;
  }

  #isShort(row: number): boolean {
    return this.#formOf(row).isShort === true || this.#lengthOf(row) < MIN_LENGTH;
  }

  #sourceAt(source: number): Source {
    return this.#sources[source] as Source;
  }

  #formOf(row: number): Form {
    return this.#sourceAt(this.#rows[row + SOURCE] as number).form;
  }

  /** Returns the first row with a hash, or 0. */
  #first(hash: number): number {
    return this.#from(this.#heads[this.#headOf(hash)] as number, hash);
  }

  #next(row: number, hash: number): number {
    return this.#from(this.#rows[row + NEXT] as number, hash);
  }

  #lengthOf(row: number): number {
    return (this.#rows[row + LENGTH] as number) >> 1;
  }

  #from(start: number, hash: number): number {
    const rows = this.#rows;
    let row = start;
    while (row !== 0 && rows[row + HASH] !== hash) row = rows[row + NEXT] as number;
    return row;
  }

  #headOf(hash: number): number {
    return Math.imul(hash, GOLDEN) >>> (32 - this.#bits);
  }

  #link(row: number): void {
    const head = this.#headOf(this.#rows[row + HASH] as number);
    this.#rows[row + NEXT] = this.#heads[head] as number;
    this.#heads[head] = row;
  }

  #rehash(bits: number): void {
    const heads = this.#heads;
    const rows = this.#rows;
    this.#bits = bits;
    this.#heads = new Int32Array(1 << bits);
    for (const head of heads) {
      for (let row = head, next = 0; row !== 0; row = next) {
        next = rows[row + NEXT] as number;
        this.#link(row);
      }
    }
  }

  #makeKeys(count: number): void {
    this.#removed = 0;
    this.#keys = new KeyTable(count);
    for (const head of this.#heads) {
      for (let row = head; row !== 0; row = this.#rows[row + NEXT] as number) {
        if (this.#isShort(row)) continue;
        const start = this.#rows[row + START] as number;
        const { text, inUrl } = this.#formOf(row);
        this.#keys.add(text, start, this.#lengthOf(row), inUrl === true);
      }
    }
  }
}
