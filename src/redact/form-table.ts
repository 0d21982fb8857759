/** Forms of a value that are masked everywhere. Each has at least six characters. */
export interface LongForm {
  /** The form; or many forms, one at each of `places`. */
  readonly text: string;
  /** The start and the end of each form, if there are many. */
  readonly places?: Int32Array | undefined;
  /** The number of characters that identify one form. What follows them is masked as far as it is equal. */
  readonly least: number;
  /** Returns the whole of a form that is too long to keep. `text` is its beginning. */
  readonly whole?: (() => string) | undefined;
}

/** Returns the place of a name in the order of the store. The first name of a form counts. */
export type RankOf = (name: string) => number;

/** A text with forms of one value. */
export interface Source {
  readonly form: LongForm;
  readonly name: string;
  /** The row of the form; or of each, where 0 is one that stands twice in the same text. */
  rows: number | Int32Array;
}

interface Owner {
  readonly source: number;
  readonly start: number;
}

const MIN_BITS = 10;
const GOLDEN = 0x9e3779b1;
/** The integers of a row. The first characters of `LENGTH` identify the form; `NEXT` is the next row with such a hash. */
const WIDTH = 5;
const SOURCE = 0;
const START = 1;
const LENGTH = 2;
const HASH = 3;
const NEXT = 4;

/**
 * The forms of all values, by the hash of their characters. A form is a row of integers that point into a text, because a
 * value of many lines has a hundred thousand. Row 0 means none.
 */
export class FormTable {
  #bits = MIN_BITS;
  #heads = new Int32Array(1 << MIN_BITS);
  #rows = new Int32Array(WIDTH << MIN_BITS);
  #size = 0;
  #used = 1;
  #free = 0;
  readonly #sources: (Source | undefined)[] = [];
  readonly #freeSources: number[] = [];
  /** The other owners of a form that several values have. */
  readonly #others = new Map<number, Owner[]>();
  readonly #rankOf: RankOf;

  constructor(rankOf: RankOf) {
    this.#rankOf = rankOf;
  }

  addSource(form: LongForm, name: string): number {
    const source = this.#freeSources.pop() ?? this.#sources.length;
    this.#sources[source] = { form, name, rows: 0 };
    return source;
  }

  sourceAt(source: number): Source {
    return this.#sources[source] as Source;
  }

  removeSource(source: number): void {
    this.#sources[source] = undefined;
    this.#freeSources.push(source);
  }

  /** Makes room for that many more rows, so that adding them never moves the others. */
  reserve(count: number): void {
    const least = this.#used + count;
    if (least * WIDTH > this.#rows.length) {
      const rows = this.#rows;
      this.#rows = new Int32Array(Math.max(least * WIDTH, rows.length * 2));
      this.#rows.set(rows);
    }
    const bits = Math.ceil(Math.log2(this.#size + count));
    if (bits > this.#bits) this.#rehash(bits);
  }

  /** Adds a row for a form of `source`. */
  create(source: number, start: number, length: number, hash: number): number {
    if (this.#free === 0 && this.#used * WIDTH >= this.#rows.length) this.reserve(1);
    if (this.#size >= this.#heads.length) this.#rehash(this.#bits + 1);
    const rows = this.#rows;
    const row = this.#free === 0 ? this.#used : this.#free;
    const at = row * WIDTH;
    if (row === this.#used) this.#used += 1;
    else this.#free = rows[at + NEXT] as number;
    rows[at + SOURCE] = source;
    rows[at + START] = start;
    rows[at + LENGTH] = length;
    rows[at + HASH] = hash;
    this.#link(row);
    this.#size += 1;
    return row;
  }

  /** Returns the row of an equal form of the same kind, or 0. Forms that begin alike may end differently. */
  rowOf(source: number, start: number, length: number, hash: number): number {
    const { text, places, whole } = this.#formOf(source);
    for (let row = this.first(hash); row !== 0; row = this.next(row, hash)) {
      if (this.lengthOf(row) !== length) continue;
      const other = this.#formOf(this.#sourceOf(row));
      if (whole !== undefined || other.whole !== undefined) continue;
      if ((places === undefined) !== (other.places === undefined)) continue;
      if (
        places === undefined ? other.text === text : isAt(text, start, other.text, this.#startOf(row), length)
      ) {
        return row;
      }
    }
    return 0;
  }

  /** Makes `source` another owner of a row. Returns false if it already is one. */
  share(row: number, source: number, start: number): boolean {
    const others = this.#others.get(row);
    if ((others?.at(-1)?.source ?? this.#sourceOf(row)) === source) return false;
    if (others === undefined) this.#others.set(row, [{ source, start }]);
    else others.push({ source, start });
    return true;
  }

  /** Removes an owner of a row. Returns true if it was the last, which removes the row. */
  release(row: number, source: number): boolean {
    const rows = this.#rows;
    const at = row * WIDTH;
    const others = this.#others.get(row);
    if (others !== undefined) {
      const index = rows[at + SOURCE] === source ? 0 : others.findIndex((one) => one.source === source);
      const [other] = others.splice(index, 1) as [Owner];
      if (rows[at + SOURCE] === source) {
        rows[at + SOURCE] = other.source;
        rows[at + START] = other.start;
      }
      if (others.length === 0) this.#others.delete(row);
      return false;
    }
    const head = this.#headOf(rows[at + HASH] as number);
    let before = this.#heads[head] as number;
    if (before === row) this.#heads[head] = rows[at + NEXT] as number;
    else {
      while (rows[before * WIDTH + NEXT] !== row) before = rows[before * WIDTH + NEXT] as number;
      rows[before * WIDTH + NEXT] = rows[at + NEXT] as number;
    }
    rows[at + LENGTH] = 0;
    rows[at + NEXT] = this.#free;
    this.#free = row;
    this.#size -= 1;
    return true;
  }

  /** Returns the first row with a hash, or 0. */
  first(hash: number): number {
    return this.#from(this.#heads[this.#headOf(hash)] as number, hash);
  }

  next(row: number, hash: number): number {
    return this.#from(this.#rows[row * WIDTH + NEXT] as number, hash);
  }

  lengthOf(row: number): number {
    return this.#rows[row * WIDTH + LENGTH] as number;
  }

  /** Returns true if the characters that identify a form are at a position of a text. */
  isAt(row: number, text: string, position: number): boolean {
    const { text: own } = this.#formOf(this.#sourceOf(row));
    return isAt(own, this.#startOf(row), text, position, this.lengthOf(row));
  }

  formOf(row: number): LongForm {
    return this.#formOf(this.#sourceOf(row));
  }

  /** Returns the first of the names that have a form. */
  nameOf(row: number): string {
    const { name } = this.sourceAt(this.#sourceOf(row));
    const others = this.#others.get(row);
    if (others === undefined) return name;
    return others.reduce((first, { source }) => {
      const other = this.sourceAt(source).name;
      return this.#rankOf(other) < this.#rankOf(first) ? other : first;
    }, name);
  }

  #formOf(source: number): LongForm {
    return this.sourceAt(source).form;
  }

  #sourceOf(row: number): number {
    return this.#rows[row * WIDTH + SOURCE] as number;
  }

  #startOf(row: number): number {
    return this.#rows[row * WIDTH + START] as number;
  }

  #from(start: number, hash: number): number {
    const rows = this.#rows;
    let row = start;
    while (row !== 0 && rows[row * WIDTH + HASH] !== hash) row = rows[row * WIDTH + NEXT] as number;
    return row;
  }

  #headOf(hash: number): number {
    return Math.imul(hash, GOLDEN) >>> (32 - this.#bits);
  }

  #link(row: number): void {
    const at = row * WIDTH;
    const head = this.#headOf(this.#rows[at + HASH] as number);
    this.#rows[at + NEXT] = this.#heads[head] as number;
    this.#heads[head] = row;
  }

  #rehash(bits: number): void {
    this.#bits = bits;
    this.#heads = new Int32Array(1 << bits);
    for (let row = 1; row < this.#used; row += 1) if (this.lengthOf(row) > 0) this.#link(row);
  }
}

/** Returns true if `length` characters of two texts are equal. */
function isAt(one: string, oneStart: number, other: string, otherStart: number, length: number): boolean {
  if (otherStart + length > other.length) return false;
  for (let at = 0; at < length; at += 1) {
    if (one.charCodeAt(oneStart + at) !== other.charCodeAt(otherStart + at)) return false;
  }
  return true;
}
