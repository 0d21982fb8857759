import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { closestNames } from '../internal/options';
import { environmentName } from '../secret/lookup';
import type { SourceState } from './source-state';

const MOST_NAMES = 12;

/** Required names that no source has: says for each source what was looked for and which names lie there. */
export async function missingError(
  missing: readonly string[],
  definitions: ReadonlyMap<string, Definition<unknown>>,
  sources: readonly SourceState[],
): Promise<SecretsError> {
  const inventories = await Promise.all(sources.map(inventoryOf));
  const lines = missing.map((name) => {
    const lookups = definitions.get(name)?.lookups ?? [];
    const looked = sources.map(({ source, looked: places }, index) => {
      const wanted = lookups.map((lookup) => places.get(lookup.name) ?? lookup.name).join(', ');
      const wantedNames = lookups.flatMap((lookup) => [lookup.name, ...lookup.env]);
      return `${source.name} has no ${wanted} (${source.note?.() ?? whatLiesThere(wantedNames, inventories[index] ?? [])})`;
    });
    return `"${name}": ${looked.join('; ')}`;
  });
  const subject = missing.length === 1 ? 'A required secret is' : `${missing.length} required secrets are`;
  return new SecretsError('SECRET_MISSING', `${subject} in no source. ${lines.join('. ')}`, {
    ...(missing[0] === undefined ? {} : { secret: missing[0] }),
    next: 'Add it to a source, correct its name, or declare it .optional().',
  });
}

async function inventoryOf({ source }: SourceState): Promise<readonly string[]> {
  try {
    return await source.inventory();
  } catch {
    // The error to show is the missing name; a source that cannot list is no second one.
    return [];
  }
}

/** A short inventory is shown whole; of a long one (the environment) only what is spelt alike. */
function whatLiesThere(wanted: readonly string[], names: readonly string[]): string {
  if (names.length === 0) return 'nothing lies there';
  if (names.length <= MOST_NAMES) return `there: ${names.join(', ')}`;
  const alike = [...new Set(wanted.flatMap((name) => closestNames(name, names, 3)))];
  const count = `${names.length} names there`;
  return alike.length > 0 ? `${count}, alike: ${alike.join(', ')}` : `${count}, none alike`;
}

/** A name that was asked for and is not known. */
export function unknownName(
  name: string,
  known: readonly string[],
  sources: readonly SourceState[],
): SecretsError {
  const alike = closestNames(name, known, 3);
  const hint =
    alike.length > 0
      ? `Did you mean ${alike.map((one) => `"${one}"`).join(' or ')}?`
      : listOf(name, known, sources);
  return new SecretsError('NAME_UNKNOWN', `no secret is called "${name}"`, { secret: name, next: hint });
}

function listOf(name: string, known: readonly string[], sources: readonly SourceState[]): string {
  if (known.length === 0) {
    const places = sources.map(({ source }) => [source.name, source.location].filter(Boolean).join(' '));
    return `The store holds no secret. It looked in: ${places.join(', ')}; for the file "${name}", or the variable ${environmentName(name)}.`;
  }
  const more = known.length > MOST_NAMES ? `, and ${known.length - MOST_NAMES} more` : '';
  return `Known names: ${known.slice(0, MOST_NAMES).join(', ')}${more}.`;
}
