import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { closestNames, kindOf } from '../internal/options';
import { environmentName } from '../secret/lookup';
import type { Catalog, Generation } from './generation';
import type { SourceView } from './resolve';
import type { SourceReader } from './source-reader';

const MAX_NAMES = 12;

export function storeClosed(): SecretsError {
  return new SecretsError('STORE_CLOSED', 'the store is closed', {
    next: 'Close it after the last use; a snapshot taken before keeps working.',
  });
}

/** For what only a bug of this package can cause. */
export function refreshBroke(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a refresh failed with ${describeError(error)}`, {
    next: 'This is a bug in hot-secrets, please report it. The last good values keep serving.',
  });
}

/** @throws What keeps a store from opening: a problem of a required secret, a source that failed, or `SECRET_MISSING`. */
export async function assertComplete(
  { entries, refused, views }: Generation,
  { definitions, discovery }: Catalog,
): Promise<void> {
  const missing: string[] = [];
  for (const [name, { required }] of definitions) {
    if (!required || entries.has(name)) continue;
    const error = refused.get(name);
    if (error !== undefined) throw error;
    missing.push(name);
  }
  const failure = [...views.values()].find((view) => view.failure !== undefined)?.failure;
  if (failure !== undefined && (missing.length > 0 || discovery !== undefined)) throw failure;
  if (missing.length > 0) throw await secretMissing(missing, definitions, views);
}

/** Required names that no source has: says for each source what was looked for and which names lie there. */
async function secretMissing(
  missing: readonly string[],
  definitions: ReadonlyMap<string, Definition<unknown>>,
  views: ReadonlyMap<SourceReader, SourceView>,
): Promise<SecretsError> {
  const sources = await Promise.all(
    [...views].map(async ([reader, view]) => ({ reader, view, inventory: await inventoryOf(reader) })),
  );
  const lines = missing.map((name) => {
    const lookups = definitions.get(name)?.lookups ?? [];
    const looked = sources.map(({ reader, view, inventory }) => {
      const wanted = lookups.map((lookup) => view.answers.get(lookup.name)?.looked ?? lookup.name).join(', ');
      const wantedNames = lookups.flatMap((lookup) => [lookup.name, ...lookup.env]);
      return `${reader.source.name} has no ${wanted} (${noteOf(reader) ?? whatLiesThere(wantedNames, inventory)})`;
    });
    return `"${name}": ${looked.join('; ')}`;
  });
  const subject = missing.length === 1 ? 'A required secret is' : `${missing.length} required secrets are`;
  return new SecretsError('SECRET_MISSING', `${subject} in no source. ${lines.join('. ')}`, {
    secret: missing[0],
    next:
      missing.length === 1
        ? 'Add it to a source, correct its name, or declare it .optional().'
        : 'Add them to a source, correct their names, or declare them .optional().',
  });
}

/** What a source says of its state; nothing when it cannot. */
export function noteOf({ source }: SourceReader): string | undefined {
  try {
    const note = source.note?.();
    return typeof note === 'string' ? note : undefined;
  } catch {
    return undefined;
  }
}

/** A listing that fails must not hide the missing name. */
async function inventoryOf({ source }: SourceReader): Promise<readonly string[]> {
  try {
    return await source.inventory();
  } catch {
    return [];
  }
}

/** Shows a short inventory whole; of a long one (the environment) only names that are spelt alike. */
function whatLiesThere(wanted: readonly string[], names: readonly string[]): string {
  if (names.length === 0) return 'nothing lies there';
  if (names.length <= MAX_NAMES) return `there: ${names.join(', ')}`;
  const alike = [...new Set(wanted.flatMap((name) => closestNames(name, names, 3)))];
  const count = `${names.length} names there`;
  return alike.length > 0 ? `${count}, alike: ${alike.join(', ')}` : `${count}, none alike`;
}

/** A name that was asked for and is not known. */
export function nameUnknown(
  name: string,
  known: readonly string[],
  readers: Iterable<SourceReader>,
): SecretsError {
  if (typeof name !== 'string') {
    return new SecretsError('OPTION_INVALID', `the name of a secret must be a string, not ${kindOf(name)}`, {
      next: namesThatAre('', known, readers),
    });
  }
  const alike = closestNames(name, known, 3);
  const next =
    alike.length > 0
      ? `Did you mean ${alike.map((one) => `"${one}"`).join(' or ')}?`
      : namesThatAre(name, known, readers);
  return new SecretsError('NAME_UNKNOWN', `no secret is called "${name}"`, { secret: name, next });
}

function namesThatAre(name: string, known: readonly string[], readers: Iterable<SourceReader>): string {
  if (known.length === 0) {
    const places = [...readers].map(({ source }) => [source.name, source.location].filter(Boolean).join(' '));
    return `The store holds no secret. It looked in: ${places.join(', ')}; for the file "${name}", or the variable ${environmentName(name)}.`;
  }
  const more = known.length > MAX_NAMES ? `, and ${known.length - MAX_NAMES} more` : '';
  return `Known names: ${known.slice(0, MAX_NAMES).join(', ')}${more}.`;
}
