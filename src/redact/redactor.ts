import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { Secret } from '../secret/secret';
import { ByteLists } from './byte-lists';
import { type Forms, formsOf } from './forms';
import { type Added, LongValues } from './long-values';
import { type Match, mask } from './mask';
import { type ShortValue, shortValues } from './short-values';
import { viewsFor } from './views';

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
  readonly long: readonly Added[];
}

/** Makes a function that masks the values of each generation. A generation costs as much as its new values. */
export class Redactor {
  #held: ReadonlyMap<Secret<unknown>, Held> = new Map();
  readonly #ranks = new Map<string, number>();
  readonly #rankOf = (name: string) => this.#ranks.get(name) ?? 0;
  readonly #long = new LongValues(this.#rankOf);
  readonly #lists = new ByteLists(this.#rankOf);

  /** Returns a function that masks the values of `entries`. Call it once per generation, on first use. */
  of(
    entries: Iterable<readonly [name: string, masked: Masked]>,
    definitions: ReadonlyMap<string, Definition<unknown>>,
  ): Redact {
    const next = new Map<Secret<unknown>, Held | undefined>();
    const added: { readonly box: Secret<unknown>; readonly name: string; readonly forms: Forms }[] = [];
    this.#ranks.clear();
    for (const [name, { secret, previous }] of entries) {
      if (!this.#ranks.has(name)) this.#ranks.set(name, this.#ranks.size);
      const hold = (box: Secret<unknown>) => {
        if (next.has(box)) return;
        const held = this.#held.get(box);
        if (held === undefined) added.push({ box, name, forms: formsOf(box, definitions.get(name)) });
        next.set(box, held);
      };
      hold(secret);
      for (const one of previous) hold(one.secret);
    }
    for (const [box, { name, forms, long }] of this.#held) {
      if (next.has(box)) continue;
      for (const one of long) this.#long.remove(one);
      for (const bytes of forms.bytes) this.#lists.remove(bytes, name);
    }
    this.#long.reserve(added.flatMap(({ forms }) => forms.long));
    for (const { box, name, forms } of added) {
      const { long, ...rest } = forms;
      next.set(box, { name, forms: rest, long: long.map((form) => this.#long.add(form, name)) });
      for (const bytes of forms.bytes) this.#lists.add(bytes, name);
    }
    this.#held = next as Map<Secret<unknown>, Held>;
    return this.#redactFor(definitions);
  }

  #redactFor(definitions: ReadonlyMap<string, Definition<unknown>>): Redact {
    const short: ShortValue[] = [];
    const signs = new Set<string>();
    for (const { name, forms } of this.#held.values()) {
      for (const value of forms.short)
        short.push({ value, name, lookups: definitions.get(name)?.lookups ?? [] });
      for (const sign of forms.signs) signs.add(sign);
    }
    // The context of a short value matters too, such as the slashes of a URL.
    if (short.length > 0) signs.add('/');
    const viewsOf = viewsFor(signs);
    const finders = [this.#long, shortValues(short), this.#lists];
    return (text) => {
      if (typeof text !== 'string') {
        throw new SecretsError('OPTION_INVALID', `redact needs a string, not ${kindOf(text)}`, {
          next: 'Pass the finished log line: redact(JSON.stringify(entry)), for example.',
        });
      }
      const matches: Match[] = [];
      for (const [depth, view] of viewsOf(text).entries()) {
        for (const finder of finders) {
          for (const match of finder.find(view.text)) {
            const { start, end, name } = match;
            matches.push(
              depth === 0 ? match : { start: view.writtenAt(start), end: view.writtenAt(end), name },
            );
          }
        }
      }
      return matches.length === 0 ? text : mask(text, matches);
    };
  }
}
