import type { Definition } from '../../definitions/definition';
import type { Entry } from '../resolve';
import { formsOf } from './forms';
import { longValues } from './long-values';
import { mask } from './mask';
import type { Match } from './match';
import { keyOf, type ShortValue, SURROUNDINGS, shortValues } from './short-values';
import { viewsFor } from './views';

/** Masks the values of `entries`: the function is built once per generation, on first use. */
export function redactor(
  entries: ReadonlyMap<string, Pick<Entry, 'secret' | 'previous'>>,
  definitions: ReadonlyMap<string, Definition<unknown>>,
): (text: string) => string {
  // The first secret of those that have a value in common names it.
  const long = new Map<string, string>();
  const short: ShortValue[] = [];
  for (const [name, { secret, previous }] of entries) {
    const definition = definitions.get(name);
    const keys = keysOf(name, definition);
    for (const box of [secret, ...previous.map((one) => one.secret)]) {
      const forms = formsOf(box, definition);
      for (const form of forms.long) if (!long.has(form)) long.set(form, name);
      for (const value of forms.short) short.push({ value, name, keys });
    }
  }
  const surrounded = short.map(({ value }) => value + SURROUNDINGS);
  const viewsOf = viewsFor([...long.keys(), ...surrounded]);
  const finders = [longValues(long), shortValues(short)];
  return (text) => {
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

function keysOf(name: string, definition: Definition<unknown> | undefined): ReadonlySet<string> {
  const lookups = definition?.lookups ?? [];
  return new Set([name, ...lookups.flatMap((one) => [one.name, one.file, one.vault, ...one.env])].map(keyOf));
}
