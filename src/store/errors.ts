import type { Definition } from '../definitions/definition';
import { SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { closestNames, kindOf } from '../internal/options';
import { bounded } from '../internal/time';
import { environmentName } from '../secret/lookup';
import type { Catalog, Generation } from './generation';
import { bothNames, nearestName } from './names';
import type { SourceView } from './resolve';
import type { SourceReader } from './source-reader';

const MAX_NAMES = 12;
/** How long an error message waits for the names in a source. */
const INVENTORY_MS = 1000;

export function storeClosed(): SecretsError {
  return new SecretsError('STORE_CLOSED', 'the store is closed', {
    next: 'Close the store after its last use. Snapshots that were taken before keep working.',
  });
}

/** The error for a call of `watch` without a listener. */
export function notListener(name: string, given: unknown): SecretsError {
  const what = `the listener of "${name}" must be a function, not ${kindOf(given)}`;
  const next = `Call watch('${name}', (current, previous) => …).`;
  return new SecretsError('OPTION_INVALID', what, { secret: name, next });
}

/** The error for a failure that only a bug of this package can cause. */
export function refreshBroke(error: unknown): SecretsError {
  return new SecretsError('SOURCE_FAILED', `a refresh failed with ${describeError(error)}`, {
    next: 'This is a bug in hot-secrets: please report it. The last good values stay in use.',
  });
}

/** Returns true if every required secret has a value. */
export function isComplete({ entries }: Generation, { definitions }: Catalog): boolean {
  return [...definitions].every(([name, { required }]) => !required || entries.has(name));
}

/** @throws The problem of a required secret, the error of a failed source, or `SECRET_MISSING`: then the store cannot open. */
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

/** The error for required secrets that no source has. It lists, by source, the names tried and similar names present. */
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
      return `${reader.source.name} has no ${wanted} (${noteOf(reader) ?? describeInventory(wantedNames, inventory)})`;
    });
    return `${bothNames(name, lookups)}: ${looked.join('; ')}`;
  });
  const meant = missing.flatMap((name) => {
    const lookups = definitions.get(name)?.lookups ?? [];
    const found = sources.flatMap(({ reader, inventory }) => {
      const nearest = nearestName(lookups, inventory);
      return nearest === undefined ? [] : [`"${nearest}" of ${reader.source.name}`];
    });
    return found.slice(0, 1).map((one) => `Did you mean ${one} for "${name}"? `);
  });
  const subject = missing.length === 1 ? 'a required secret was' : `${missing.length} required secrets were`;
  return new SecretsError('SECRET_MISSING', `${subject} not found in any source. ${lines.join('. ')}`, {
    secret: missing[0],
    next: `${meant.slice(0, MAX_NAMES).join('')}${
      missing.length === 1
        ? 'Add it to a source, correct its name, or declare it .optional().'
        : 'Add them to a source, correct their names, or declare them .optional().'
    }`,
  });
}

/** Returns the note of a source about its state; `undefined` if it has none or throws. */
export function noteOf({ source }: SourceReader): string | undefined {
  try {
    const note = source.note?.();
    return typeof note === 'string' ? note : undefined;
  } catch {
    return undefined;
  }
}

/** Lists the names in a source. A failure here must not hide the missing name. */
async function inventoryOf({ source }: SourceReader): Promise<readonly string[]> {
  try {
    const names = (async () => source.inventory())();
    return await bounded(names, INVENTORY_MS, () => new Error('timed out'));
  } catch {
    return [];
  }
}

/** Lists a short inventory in full, and only similar names of a long one (the environment). */
function describeInventory(wanted: readonly string[], names: readonly string[]): string {
  if (names.length === 0) return 'it lists no names';
  if (names.length <= MAX_NAMES) return `it has: ${names.join(', ')}`;
  const alike = [...new Set(wanted.flatMap((name) => closestNames(name, names, 3)))];
  const count = `it has ${names.length} names`;
  return alike.length > 0 ? `${count}; similar: ${alike.join(', ')}` : `${count}, none similar`;
}

/** The error for a read of an unknown name. Suggests similar names, or lists the known ones. */
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
  return new SecretsError('NAME_UNKNOWN', `no secret is named "${name}"`, { secret: name, next });
}

function namesThatAre(name: string, known: readonly string[], readers: Iterable<SourceReader>): string {
  if (known.length === 0) {
    const places = [...readers].map(({ source }) => [source.name, source.location].filter(Boolean).join(' '));
    return `The store is empty. It searched ${places.join(', ')} for the file "${name}" or the variable ${environmentName(name)}.`;
  }
  const more = known.length > MAX_NAMES ? `, and ${known.length - MAX_NAMES} more` : '';
  return `Known names: ${known.slice(0, MAX_NAMES).join(', ')}${more}.`;
}
