import { type Definition, isDefinition } from '../definitions/definition';
import { secret } from '../definitions/secret';
import { SecretsError } from '../errors';
import type { Lookup } from '../secret/lookup';
import type { Definitions } from './types';

/** The definitions by name, with shorthands spelt out. Throws `NAME_DUPLICATE` when two would read the same value. */
export function declared(definitions: Definitions): Map<string, Definition<unknown>> {
  const result = new Map<string, Definition<unknown>>();
  const takenBy = new Map<string, string>();
  for (const [name, given] of Object.entries(definitions)) {
    if (name === '') throw new SecretsError('NAME_INVALID', 'a secret has the empty string as its name');
    const definition = typeof given === 'string' ? secret.text(given) : given;
    if (!isDefinition(definition)) {
      throw new SecretsError(
        'OPTION_INVALID',
        `the definition of "${name}" is neither an alias nor a definition`,
        {
          secret: name,
          next: "Give an alias ('database-password') or secret.text, secret.bytes, secret.json or secret.tls.",
        },
      );
    }
    for (const lookup of definition.lookups) {
      for (const place of placesOf(lookup)) {
        const other = takenBy.get(place);
        if (other !== undefined) throw duplicate(name, other, place);
        takenBy.set(place, name);
      }
    }
    result.set(name, definition);
  }
  return result;
}

/** Also the variables: `db-password` and `db_password` are two files and one variable. */
function placesOf({ name, file, env }: Lookup): Set<string> {
  return new Set([`the alias "${name}"`, `the file "${file}"`, ...env.map((one) => `the variable ${one}`)]);
}

function duplicate(name: string, other: string, place: string): SecretsError {
  return new SecretsError('NAME_DUPLICATE', `"${other}" and "${name}" both read ${place}`, {
    secret: name,
    next: 'Declare it once, or tell them apart with the file and env options.',
  });
}

/** The definition of a name that nobody declared. Throws `NAME_INVALID` for a file name that makes no alias. */
export function discovered(name: string): Definition<unknown> {
  return secret.text(name).optional();
}
