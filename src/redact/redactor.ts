import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { kindOf } from '../internal/options';
import type { Secret } from '../secret/secret';
import { byteLists } from './byte-lists';
import { type LongForm, longValues, type ShortValue, shortValues } from './find-values';
import { formsOf } from './forms';
import { type Match, mask } from './mask';
import { viewsFor } from './views';

/** The values to mask under one name: the current value, and previous values that late log lines may contain. */
export interface Masked {
  readonly secret: Secret<unknown>;
  readonly previous: readonly { readonly secret: Secret<unknown> }[];
}

/** Returns a function that masks the values of `entries`. Make it once per generation, on first use. */
export function redactor(
  entries: Iterable<readonly [name: string, masked: Masked]>,
  definitions: ReadonlyMap<string, Definition<unknown>>,
): (text: string) => string {
  const long: [form: LongForm, name: string][] = [];
  const lists: [bytes: Uint8Array, name: string][] = [];
  const short: ShortValue[] = [];
  const signs = new Set<string>();
  for (const [name, { secret, previous }] of entries) {
    const definition = definitions.get(name);
    for (const box of [secret, ...previous.map((one) => one.secret)]) {
      const forms = formsOf(box, definition);
      for (const form of forms.long) long.push([form, name]);
      for (const value of forms.short) short.push({ value, name, lookups: definition?.lookups ?? [] });
      for (const bytes of forms.bytes) lists.push([bytes, name]);
      for (const sign of forms.signs) signs.add(sign);
    }
  }
  // The context of a short value matters too, such as the slashes of a URL.
  if (short.length > 0) signs.add('/');
  const viewsOf = viewsFor(signs);
  const finders = [longValues(long), shortValues(short), byteLists(lists)];
  return (text) => {
    if (typeof text !== 'string') {
      throw new SecretsError('OPTION_INVALID', `redact needs a string, not ${kindOf(text)}`, {
        next: 'Pass the finished log line: redact(JSON.stringify(entry)), for example.',
      });
    }
    const matches: Match[] = [];
    for (const view of viewsOf(text)) {
      for (const find of finders) {
        for (const { start, end, name } of find(view.text)) {
          matches.push({ start: view.writtenAt(start), end: view.writtenAt(end), name });
        }
      }
    }
    return matches.length === 0 ? text : mask(text, matches);
  };
}
