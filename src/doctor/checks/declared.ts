import { type Definition, isDefinition } from '../../definitions/definition';
import { secret } from '../../definitions/secret';
import { SecretsError, withFacts } from '../../errors';
import type { Lookup } from '../../secret/lookup';
import type { FailedReading, FoundReading, Reading } from '../../sources/source';
import { nearestName, withNames } from '../../store/names';
import type { Definitions } from '../../store/types';
import { type About, type Finding, finding, findingOf } from '../findings';
import { decoded } from './decoded';
import { checkText, explains } from './text';

/** What one source had when the doctor read it. */
export interface Picture {
  readonly source: string;
  readonly location: string;
  readonly readings: ReadonlyMap<string, Reading>;
  /** True if it was not read: what it has, and so what later sources serve, is unknown. */
  readonly unknown?: boolean;
}

/** Where a declared secret comes from. */
export interface Served {
  readonly name: string;
  readonly definition: Definition<unknown>;
  readonly picture: Picture;
  /** By lookup; `undefined` for an optional part that is missing. */
  readonly found: readonly (FoundReading | undefined)[];
}

/** The definitions by name, with shorthands expanded. @throws `OPTION_INVALID`, `NAME_INVALID`. */
export function definitionsOf(definitions: Definitions): Map<string, Definition<unknown>> {
  return new Map(
    Object.entries(definitions).map(([name, given]) => {
      const definition = typeof given === 'string' ? secret.text(given) : given;
      if (isDefinition(definition)) return [name, definition];
      throw new SecretsError(
        'OPTION_INVALID',
        `the definition of "${name}" is neither an alias nor a definition`,
        {
          secret: name,
        },
      );
    }),
  );
}

/** Finds the source that serves a definition as a store does: the first that has all of its parts. */
export function serve(
  name: string,
  definition: Definition<unknown>,
  pictures: readonly Picture[],
): { readonly served?: Served; readonly findings: readonly Finding[] } {
  for (const picture of pictures) {
    if (picture.unknown) return { findings: [] };
    const readings = definition.lookups.map((one) => picture.readings.get(one.name));
    const failed = readings.find((one): one is FailedReading => one?.status === 'failed');
    // A check of the source reports its failure.
    if (failed !== undefined) return { findings: [] };
    const found = readings.filter((one): one is FoundReading => one?.status === 'found');
    if (found.length === 0) continue;
    const lacks = definition.lookups.filter(
      (one, index) => readings[index]?.status !== 'found' && !definition.optionalParts?.includes(one),
    );
    if (lacks.length > 0) return { findings: [incomplete(name, picture, lacks)] };
    const parts = readings.map((one) => (one?.status === 'found' ? one : undefined));
    return { served: { name, definition, picture, found: parts }, findings: [] };
  }
  return { findings: definition.required ? [missing(name, definition, pictures)] : [] };
}

function incomplete(name: string, { source }: Picture, lacks: readonly Lookup[]): Finding {
  const what = `${source} has only some parts of "${name}": ${lacks.map((one) => `"${one.name}"`).join(', ')} is missing`;
  const next = 'Put all parts of the secret into the same source.';
  return { code: 'SECRET_MISSING', level: 'error', secret: name, args: { what, next } };
}

function missing(name: string, { lookups }: Definition<unknown>, pictures: readonly Picture[]): Finding {
  const looked = lookups.map(({ file, env }) => [file, ...env].join(' or ')).join(', ');
  const all = pictures.flatMap(({ readings }) =>
    [...readings].flatMap(([one, { status }]) => (status === 'missing' ? [] : one)),
  );
  const nearest = nearestName(lookups, all);
  const what = `no source has "${name}" (${looked})`;
  const next =
    nearest === undefined
      ? 'Add it to the mount, correct its name in the definition, or declare it .optional().'
      : `Did you mean "${nearest}"? Correct the name in the definition, or the objectAlias.`;
  return { code: 'SECRET_MISSING', level: 'error', secret: name, args: { what, next } };
}

/** Checks a value through its own definition, and then how it is stored. */
export async function checkServed({ name, definition, found }: Served): Promise<Finding[]> {
  const about: About = { secret: name, place: found[0]?.origin };
  const empty = new Uint8Array();
  const stored = definition.lookups.map((_, index) => found[index]?.bytes ?? empty);
  const { value, error, told } = await decoded(definition, stored);
  const suspect = [...found.flatMap((one) => one?.problems ?? []), ...told];
  // Definitions know the alias alone.
  const named = (one: SecretsError) =>
    findingOf(withFacts(one, { secret: name }, withNames(one.what, name, definition.lookups)), about);
  const problems = suspect.map(named);
  const { kind, unresolved } = definition;
  const isText = kind === 'text' || kind === 'json' || kind === 'bytes';
  const form = isText
    ? checkText({ kind, bytes: stored[0] as Uint8Array, decoded: value, unresolved }, about)
    : [];
  if (error === undefined) {
    return [...problems, ...checkDates(found, about), ...checkTraits(definition, value, about), ...form];
  }
  if (definition.blankIsAbsent && !definition.required && error.code === 'VALUE_EMPTY') return [];
  const reasons = form.filter(explains).map((one): Finding => ({ ...one, level: 'error' }));
  // The reason says more than the failure that it causes.
  return reasons.length > 0 ? reasons : [named(error), ...problems];
}

/** The dates that a vault has for a value. It returns the value nevertheless. */
function checkDates(found: Served['found'], about: About): Finding[] {
  return found.flatMap((one) => {
    const { expiresOn, notBefore } = one?.attributes ?? {};
    const now = Date.now();
    const next = 'Add a version with other dates to the vault.';
    if (expiresOn !== undefined && expiresOn.getTime() <= now) {
      const what = `"${about.secret}" expired at ${expiresOn.toISOString()}, by its date in the vault`;
      return [findingOf(new SecretsError('VALUE_EXPIRED', what, { next }), about)];
    }
    if (notBefore === undefined || notBefore.getTime() <= now) return [];
    const what = `"${about.secret}" is not valid before ${notBefore.toISOString()}, by its date in the vault`;
    return [findingOf(new SecretsError('VALUE_NOT_YET_VALID', what, { next }), about)];
  });
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;
/** Values that live this long or shorter are replaced late in their lifetime. */
const SHORT_LIFETIME_DAYS = 91;

/** What the definition itself says about a value that it accepts: its warnings, and what expires. */
export function checkTraits(definition: Definition<unknown>, value: unknown, about: About): Finding[] {
  if (value === undefined) return [];
  const warnings = definition.warnings?.(value) ?? [];
  const expiries = definition.expiries?.(value) ?? [];
  const expired = warnings.some(({ code }) => code === 'CERTIFICATE_EXPIRED');
  const soon = expiries.flatMap(({ what, subject, expiresAt, validFrom }) => {
    const leftDays = (expiresAt.getTime() - Date.now()) / DAY_MS;
    const lifetimeDays = validFrom && (expiresAt.getTime() - validFrom.getTime()) / DAY_MS;
    const limit =
      lifetimeDays === undefined || lifetimeDays > SHORT_LIFETIME_DAYS ? SOON_DAYS : lifetimeDays / 10;
    if (leftDays > limit || (leftDays <= 0 && expired)) return [];
    const subjectOf = `the ${what === 'leaf' ? 'certificate' : `${what} certificate`} "${subject}" of "${about.secret}"`;
    const error =
      leftDays <= 0
        ? new SecretsError('VALUE_EXPIRED', `${subjectOf} expired at ${expiresAt.toISOString()}`, {
            next: 'Replace it.',
          })
        : new SecretsError('VALUE_EXPIRING', `${subjectOf} expires at ${expiresAt.toISOString()}`, {
            next: 'Renew it at its issuer, or check why its automatic replacement does not happen.',
          });
    return [findingOf(error, about)];
  });
  return [...warnings.map((error) => findingOf(error, about)), ...soon];
}

/** Names of different definitions that lead to the same value. A store refuses most of them when it opens. */
export function checkDeclaredNames(definitions: ReadonlyMap<string, Definition<unknown>>): Finding[] {
  const takenBy = new Map<string, Set<string>>();
  for (const [name, { lookups, shareable = [] }] of definitions) {
    for (const one of lookups) {
      if (shareable.includes(one)) continue;
      const places = [`the file ${one.file}`, `the vault secret ${one.vault.toLowerCase()}`];
      for (const place of [...places, ...one.env.map((variable) => `the variable ${variable}`)]) {
        takenBy.set(place, (takenBy.get(place) ?? new Set()).add(name));
      }
    }
  }
  return clashes(takenBy);
}

/** One finding for each set of names, however many places they share. */
export function clashes(takenBy: ReadonlyMap<string, ReadonlySet<string>>): Finding[] {
  const byNames = new Map<string, { names: readonly string[]; places: string[] }>();
  for (const [place, taken] of takenBy) {
    if (taken.size < 2) continue;
    const names = [...taken];
    const known = byNames.get(names.join('\n')) ?? { names, places: [] };
    known.places.push(place);
    byNames.set(names.join('\n'), known);
  }
  return [...byNames.values()].map(({ names, places }) =>
    finding('NAME_CLASH', { names, place: places.join(' and ') }, { secret: undefined }),
  );
}
