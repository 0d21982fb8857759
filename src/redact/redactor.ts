import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { Secret } from '../secret/secret';
import { byteListsOf } from './byte-lists';
import type { Units } from './characters';
import { FormTable } from './form-table';
import { Forms } from './forms';
import { mask } from './mask';
import type { Matches } from './matches';
import { keysOf, ShortValues } from './short-values';
import { decode, mapToWritten, PASSES, type Pass, signsOf } from './views';

/** The values to mask under one name: the current value, and previous values that late log lines may contain. */
export interface Masked {
  readonly secret: Secret<unknown>;
  readonly previous: readonly { readonly secret: Secret<unknown> }[];
}

/** Masks the values of one generation in a text. It is valid until its redactor makes the next one. */
export type Redact = (text: string) => string;

interface Held {
  readonly name: string;
  readonly signs: number;
  readonly hasBytes: boolean;
  readonly hasShort: boolean;
  /** What the table returned for each form. */
  readonly sources: readonly number[];
  /** The last generation with the value. */
  generation: number;
}

/** Longer texts get memory of their own. */
const MAX_KEPT = 65_536;
const MIN_KEPT = 1_024;

/** Makes a function that masks the values of each generation. A generation costs as much as its new values. */
export class Redactor {
  readonly #held = new Map<Secret<unknown>, Held>();
  #generation = 0;
  readonly #ranks = new Map<string, number>();
  readonly #table = new FormTable((name) => this.#ranks.get(name) ?? 0);
  #short: ShortValues | undefined;
  #hasBytes = false;
  #signs = 0;
  /** Memory for the text and for each of its views, and for numbers of one. */
  readonly #units: Units[] = [];
  #numbers = new Int32Array(0);

  /** Returns a function that masks the values of `entries`. Call it once per generation, on first use. */
  of(
    entries: Iterable<readonly [name: string, masked: Masked]>,
    definitions: ReadonlyMap<string, Definition<unknown>>,
  ): Redact {
    const added: { readonly box: Secret<unknown>; readonly name: string; readonly forms: Forms }[] = [];
    this.#generation += 1;
    this.#ranks.clear();
    for (const [name, { secret, previous }] of entries) {
      if (!this.#ranks.has(name)) this.#ranks.set(name, this.#ranks.size);
      for (let index = -1; index < previous.length; index += 1) {
        const box = index < 0 ? secret : (previous[index] as Masked).secret;
        const held = this.#held.get(box);
        if (held === undefined) added.push({ box, name, forms: new Forms(box, definitions.get(name)) });
        else held.generation = this.#generation;
      }
    }
    for (const [box, { generation, sources }] of this.#held) {
      if (generation === this.#generation) continue;
      this.#held.delete(box);
      for (const source of sources) this.#table.remove(source);
    }
    this.#table.reserve(added.reduce((count, { forms }) => count + forms.count, 0));
    for (const { box, name, forms } of added) if (!this.#held.has(box)) this.#add(box, name, forms);
    this.#prepare(definitions);
    return (text) => {
      if (typeof text !== 'string') {
        throw new SecretsError('OPTION_INVALID', `redact needs a string, not ${kindOf(text)}`, {
          next: 'Pass the finished log line: redact(JSON.stringify(entry)), for example.',
        });
      }
      return this.#redact(text);
    };
  }

  #add(box: Secret<unknown>, name: string, { all, signs, hasBytes, hasShort }: Forms): void {
    const sources = all.map((form) => this.#table.add(form, name));
    this.#held.set(box, { name, signs, hasBytes, hasShort, sources, generation: this.#generation });
  }

  #prepare(definitions: ReadonlyMap<string, Definition<unknown>>): void {
    const short = new Set<string>();
    this.#hasBytes = false;
    this.#signs = 0;
    for (const { name, signs, hasBytes, hasShort } of this.#held.values()) {
      this.#signs |= signs;
      if (hasBytes) this.#hasBytes = true;
      if (hasShort) short.add(name);
    }
    this.#short = undefined;
    if (short.size === 0) return;
    // The context of a short value matters too, such as the slashes of a URL.
    this.#signs |= SIGN_OF_URLS;
    this.#short = new ShortValues(this.#table, () =>
      Array.from(short, (name) => [name, keysOf(name, definitions.get(name)?.lookups ?? [])] as const),
    );
  }

  #redact(text: string): string {
    const { length } = text;
    const units = this.#unitsFor(0, length);
    Buffer.from(units.buffer, units.byteOffset, length * 2).write(text, 'utf16le');
    const missing = PASSES.reduce((all, pass) => (text.includes(pass.sign) ? all : all | pass.bit), 0);
    const found = this.#find(units, length, 0, 0, missing);
    return found.size === 0 ? text : mask(text, units, found, (owner) => this.#table.nameOf(owner));
  }

  /** Returns what to mask in a view, also in the views that remain after a pass. */
  #find(units: Units, length: number, depth: number, pass: number, missing: number): Matches {
    const found = this.#findIn(units, length);
    let irrelevant = missing;
    for (let index = pass; index < PASSES.length; index += 1) {
      const next = PASSES[index] as Pass;
      if ((irrelevant & next.bit) !== 0) continue;
      const decoded = decode(next, units, length, () => this.#unitsFor(depth + 1, length), this.#signs);
      if (decoded === undefined) {
        irrelevant |= next.bit;
        continue;
      }
      const deeper = this.#find(decoded.units, decoded.length, depth + 1, index + 1, 0);
      if (deeper.size > 0) mapToWritten(next, units, length, deeper, this.#numbersFor(length));
      return found.with(deeper);
    }
    return found;
  }

  #findIn(units: Units, length: number): Matches {
    const room = this.#numbersFor(length);
    let found = this.#table.find(units, length, room);
    if (this.#short !== undefined) found = found.with(this.#short.find(units, length, room));
    for (const lists of this.#hasBytes ? byteListsOf(units, length) : []) {
      const matches = this.#table.find(lists.units, lists.size, this.#numbersFor(lists.size));
      found = found.with(lists.written(matches));
    }
    return found;
  }

  #unitsFor(depth: number, length: number): Units {
    let units = this.#units[depth];
    if (length > MAX_KEPT) return new Uint16Array(length);
    if (units === undefined || units.length < length) {
      units = new Uint16Array(Math.max(length, Math.min((units?.length ?? 0) * 2, MAX_KEPT), MIN_KEPT));
      this.#units[depth] = units;
    }
    return units;
  }

  /** Returns memory for a number for each position of a text, and for its end. */
  #numbersFor(length: number): Int32Array {
    if (this.#numbers.length <= length) {
      const numbers = new Int32Array(Math.max(length + 1, MIN_KEPT));
      if (length > MAX_KEPT * 2) return numbers;
      this.#numbers = numbers;
    }
    return this.#numbers;
  }
}

const SIGN_OF_URLS = signsOf('/');
