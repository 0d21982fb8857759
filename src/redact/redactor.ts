import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { Lookup } from '../secret/lookup';
import type { Secret } from '../secret/secret';
import { ByteLists } from './byte-lists';
import { type Forms, formsOf } from './forms';
import { LongValues } from './long-values';
import { type Finder, type Match, mask } from './mask';
import { type ShortValue, shortValues } from './short-values';
import { type View, viewsFor } from './views';

/** The values to mask under one name: the current value, and previous values that late log lines may contain. */
export interface Masked {
  readonly secret: Secret<unknown>;
  readonly previous: readonly { readonly secret: Secret<unknown> }[];
}

/** Masks the values of one generation in a text. It is valid until its redactor makes the next one. */
export type Redact = (text: string) => string;

interface Held {
  readonly name: string;
  readonly forms: Omit<Forms, 'long'>;
  /** What `LongValues` returned for each long form. */
  readonly long: readonly number[];
  /** The last generation with the value. */
  generation: number;
}

/** Makes a function that masks the values of each generation. A generation costs as much as its new values. */
export class Redactor {
  readonly #held = new Map<Secret<unknown>, Held>();
  #generation = 0;
  readonly #ranks = new Map<string, number>();
  readonly #rankOf = (name: string) => this.#ranks.get(name) ?? 0;
  readonly #long = new LongValues(this.#rankOf);
  readonly #lists = new ByteLists(this.#rankOf);
  /** How many values have each sign. */
  readonly #signs = new Map<string, number>();
  #short: readonly ShortValue[] = [];
  #shortFinder: Finder = shortValues([]);
  #isShortNew = false;

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
        if (held === undefined) added.push({ box, name, forms: formsOf(box, definitions.get(name)) });
        else held.generation = this.#generation;
      }
    }
    for (const [box, held] of this.#held) if (held.generation !== this.#generation) this.#remove(box, held);
    this.#long.reserve(added.flatMap(({ forms }) => forms.long));
    for (const { box, name, forms } of added) if (!this.#held.has(box)) this.#add(box, name, forms);
    return this.#redactFor(definitions);
  }

  #add(box: Secret<unknown>, name: string, { long, short, bytes, signs }: Forms): void {
    this.#held.set(box, {
      name,
      forms: { short, bytes, signs },
      long: long.map((form) => this.#long.add(form, name)),
      generation: this.#generation,
    });
    if (short.length > 0) this.#isShortNew = true;
    for (const one of bytes) this.#lists.add(one, name);
    for (const sign of signs) this.#signs.set(sign, (this.#signs.get(sign) ?? 0) + 1);
  }

  #remove(box: Secret<unknown>, { name, forms, long }: Held): void {
    this.#held.delete(box);
    if (forms.short.length > 0) this.#isShortNew = true;
    for (const one of long) this.#long.remove(one);
    for (const bytes of forms.bytes) this.#lists.remove(bytes, name);
    for (const sign of forms.signs) this.#signs.set(sign, (this.#signs.get(sign) ?? 0) - 1);
  }

  #redactFor(definitions: ReadonlyMap<string, Definition<unknown>>): Redact {
    if (this.#isShortNew) this.#findShort(definitions);
    const signs = new Set<string>();
    for (const [sign, count] of this.#signs) if (count > 0) signs.add(sign);
    // The context of a short value matters too, such as the slashes of a URL.
    if (this.#short.length > 0) signs.add('/');
    const viewsOf = viewsFor(signs);
    const finders = [this.#long, this.#shortFinder, this.#lists];
    return (text) => {
      if (typeof text !== 'string') {
        throw new SecretsError('OPTION_INVALID', `redact needs a string, not ${kindOf(text)}`, {
          next: 'Pass the finished log line: redact(JSON.stringify(entry)), for example.',
        });
      }
      const views = viewsOf(text);
      let matches: readonly Match[] = [];
      for (const finder of finders) {
        const written = finder.find(text);
        const decoded: Match[] = [];
        for (const view of views.slice(1)) addDecoded(decoded, finder.find(view.text), view, written);
        for (const found of [written, decoded]) {
          if (found.length > 0) matches = matches.length === 0 ? found : matches.concat(found);
        }
      }
      return matches.length === 0 ? text : mask(text, matches);
    };
  }

  /** Makes the finder of the short values, unless they are those of the last generation. */
  #findShort(definitions: ReadonlyMap<string, Definition<unknown>>): void {
    const byName = new Map<string, Set<string>>();
    for (const { name, forms } of this.#held.values()) {
      if (forms.short.length === 0) continue;
      const values = byName.get(name) ?? new Set();
      byName.set(name, values);
      for (const value of forms.short) values.add(value);
    }
    const short: ShortValue[] = [];
    for (const name of [...byName.keys()].sort((a, b) => this.#rankOf(a) - this.#rankOf(b))) {
      const lookups = definitions.get(name)?.lookups ?? NO_LOOKUPS;
      for (const value of byName.get(name) as Set<string>) short.push({ value, name, lookups });
    }
    const isSame = (one: ShortValue, index: number) => {
      const { value, name, lookups } = short[index] as ShortValue;
      return one.value === value && one.name === name && one.lookups === lookups;
    };
    this.#isShortNew = false;
    if (short.length === this.#short.length && this.#short.every(isSame)) return;
    this.#short = short;
    this.#shortFinder = shortValues(short);
  }
}

/** Adds what was found in a view, without what was found in the text as it is written. */
function addDecoded(
  matches: Match[],
  decoded: readonly Match[],
  view: View,
  written: readonly Match[],
): void {
  let next = 0;
  for (const match of decoded) {
    const start = view.writtenAt(match.start);
    const end = view.writtenAt(match.end);
    while (next < written.length && (written[next] as Match).start < start) next += 1;
    const known = written[next];
    if (known?.start !== start || known.end !== end) matches.push({ start, end, name: match.name });
  }
}

const NO_LOOKUPS: readonly Lookup[] = [];
