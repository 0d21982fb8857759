import type { Definition } from '../definitions/definition';
import { secret } from '../definitions/secret';
import { isSecretsError, SecretsError, withFacts } from '../errors';
import { builtin } from '../internal/builtins';
import { isThenable } from '../internal/events';
import { bounded } from '../internal/time';
import type { OfStore } from '../observe/channels';
import { NO_ATTRIBUTES, type SecretAttributes } from '../secret/attributes';
import { fingerprint } from '../secret/fingerprint';
import { type Lookup, lookup } from '../secret/lookup';
import { type Secret, seal, unseal } from '../secret/secret';
import type { FoundReading, Reading } from '../sources/source';
import { decodingTimedOut, incomplete, partVanished, undecodable } from './errors';
import { bothNames, withNames } from './names';
import type { SourceReader, SourceReading } from './source-reader';

/**
 * The current box of a name, and its previous boxes with the time until which `revealWithPrevious` returns them. Times are those
 * of `performance.now()`, because the date of a machine may jump.
 */
export interface Entry {
  readonly secret: Secret<unknown>;
  readonly loadedAtMs: number;
  /** Digest of the bytes and tags. Equal digests mean equal values. */
  readonly digest: string;
  readonly source: SourceReader;
  readonly previous: readonly { readonly secret: Secret<unknown>; readonly until: number }[];
  /** Problems of the stored bytes, which are used nevertheless. */
  readonly suspect: readonly SecretsError[];
}

/** What is left of the answer of a source for one name. */
export interface ViewedAnswer {
  readonly status: Reading['status'];
  readonly looked?: string;
  readonly blank?: boolean;
}

/** The state of one source, from the readings that generations were made of. It never changes and holds no bytes. */
export interface SourceView {
  /** Answers by lookup name. */
  readonly answers: ReadonlyMap<string, ViewedAnswer>;
  readonly lookUp: SourceReading['lookUp'];
  readonly failure: SecretsError | undefined;
  /** Discovered names that vanished while other values changed. The next reading must confirm that they are gone. */
  readonly lacking: ReadonlySet<string>;
}

export interface Problem {
  readonly error: SecretsError;
  readonly source: SourceReader;
  /**
   * `read`: the whole source cannot be read. `failed`: this name cannot be read. `invalid`: its value cannot be used.
   * `early`: its value is not valid yet.
   */
  readonly kind: 'read' | 'failed' | 'vanished' | 'invalid' | 'early';
  /** Distinguishes one bad value from the next. */
  readonly cause: string;
}

/** The answer of one source for a name in this refresh. */
export type Finding =
  | { readonly kind: 'kept' }
  /** The source was not read in this refresh, or did not answer. */
  | { readonly kind: 'unseen'; readonly source: SourceReader }
  /** No source has the name, and none ever served it. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly entry: Entry }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** The result of a refresh for one name. */
export interface Resolution {
  /** From the source that serves the name; if none does, from the first source that has it. */
  readonly here: Finding;
  /** From sources of higher precedence that also have the name, in order of precedence. */
  readonly above: readonly Finding[];
}

/** One time by two clocks. */
export interface Moment {
  readonly date: Date;
  /** By `performance.now()`. */
  readonly ms: number;
}

export function thisMoment(): Moment {
  return { date: new Date(), ms: performance.now() };
}

/** The input of a refresh. */
export interface Evidence {
  readonly owner: OfStore;
  /** All sources in order of precedence, each with the state after its last reading. */
  readonly views: ReadonlyMap<SourceReader, SourceView>;
  /** The readings of this refresh. */
  readonly readings: ReadonlyMap<SourceReader, SourceReading>;
  readonly now: Moment;
  readonly timeoutMs: number;
}

/**
 * Finds the value of one name in the first source that has it, in order of precedence. After `missing`, the next source
 * counts; after `failed`, it does not. A name may move up to a source of higher precedence, never down.
 */
export async function resolve(
  name: string,
  definition: Definition<unknown>,
  current: Entry | undefined,
  evidence: Evidence,
): Promise<Resolution> {
  const above: Finding[] = [];
  for (const [reader, view] of evidence.views) {
    const serves = reader === current?.source;
    if (!hasIt(definition, view)) {
      if (current === undefined || !serves) continue;
      // This refresh did not read the source, so nothing is new: its last reading may have been held back.
      const read = evidence.readings.get(reader)?.answers !== undefined;
      return { here: read ? vanished(name, definition, current) : { kind: 'unseen', source: reader }, above };
    }
    const found = findIn(reader, view, name, definition, current, evidence);
    // Most values are there at once, and a wait for each of them would cost more than the value.
    const finding = found instanceof Promise ? await found : found;
    if (serves || current === undefined) return { here: finding, above };
    above.push(finding);
  }
  return { here: { kind: 'absent' }, above };
}

/** True if the source has the name, or may have it: a failed source is never skipped. */
function hasIt({ lookups, required, blankIsAbsent }: Definition<unknown>, view: SourceView): boolean {
  if (view.failure !== undefined) return true;
  const isAbsent = (one: Lookup) =>
    statusOf(one, view) === 'missing' ||
    (!required && blankIsAbsent === true && view.answers.get(one.name)?.blank === true);
  return !lookups.every(isAbsent);
}

/** True if there are no bytes but white space. */
export function isBlank(bytes: Uint8Array): boolean {
  // A loop, because the methods of an array throw if the source detached its memory.
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return false;
  }
  return true;
}

function statusOf(wanted: Lookup, view: SourceView): Reading['status'] {
  return view.answers.get(wanted.name)?.status ?? view.lookUp?.(wanted).status ?? 'missing';
}

function findIn(
  reader: SourceReader,
  view: SourceView,
  name: string,
  definition: Definition<unknown>,
  current: Entry | undefined,
  evidence: Evidence,
): Finding | Promise<Finding> {
  const reading = evidence.readings.get(reader);
  const answers = reading?.answers && definition.lookups.map((one) => answerFor(one, reading));
  const failed = answers?.find((answer) => answer?.status === 'failed');
  if (failed !== undefined) {
    const what = withNames(failed.error.what, name, definition.lookups);
    return problem(withFacts(failed.error, { secret: name }, what), reader, 'failed');
  }
  const found = answers?.filter((answer) => answer?.status === 'found') ?? [];
  if (found.length === 0 || answers === undefined) {
    // The source was read, then failed before a generation was made: the reading counts.
    if (answers !== undefined && current?.source === reader) return vanished(name, definition, current);
    // The failure of a whole source is reported once, not once for each name.
    if (view.failure === undefined || current !== undefined) return { kind: 'unseen', source: reader };
    return problem(view.failure, reader, 'read');
  }
  const optional = (index: number) =>
    definition.optionalParts?.includes(definition.lookups[index] as Lookup) === true;
  if (answers.some((answer, index) => answer?.status !== 'found' && !optional(index))) {
    return problem(incomplete(name, reader, found.length, answers.length), reader, 'invalid', 'incomplete');
  }
  const parts = answers.map((answer, index) => {
    const isAbsent = answer?.status !== 'found' || (optional(index) && isBlank(answer.bytes));
    return isAbsent ? NO_PART : (answer as FoundReading);
  });
  const lost = current?.source === reader ? lostPart(parts, current) : undefined;
  if (lost !== undefined) {
    const { name: part } = definition.lookups[lost] as Lookup;
    return problem(partVanished(name, part, reader), reader, 'vanished', 'vanished');
  }
  try {
    return decode(reader, name, definition, parts, current, evidence);
  } catch (error) {
    // Only this name fails, for example because its bytes were detached.
    return problem(undecodable(name, error), reader, 'invalid');
  }
}

/** Stands for an optional part that the source does not have. */
const NO_PART: FoundReading = { status: 'found', bytes: new Uint8Array(0), origin: '' };

/** Returns the index of an optional part that had a value. Without it, trust could become wider. */
function lostPart(parts: readonly FoundReading[], { digest }: Entry): number | undefined {
  const before = digest.split('.');
  const index = parts.findIndex((part, at) => part === NO_PART && before[at] !== fingerprint(part.bytes));
  return index < 0 ? undefined : index;
}

function answerFor(wanted: Lookup, { answers, lookUp }: SourceReading): Reading | undefined {
  return answers?.get(wanted.name) ?? lookUp?.(wanted);
}

/** Finds at once what its definition decodes at once: a schema may be asynchronous. */
function decode(
  reader: SourceReader,
  name: string,
  definition: Definition<unknown>,
  found: readonly FoundReading[],
  current: Entry | undefined,
  { owner, now, timeoutMs }: Evidence,
): Finding | Promise<Finding> {
  const digests = found.map(({ bytes }) => fingerprint(bytes));
  const attributes = found.find((one) => one.attributes !== undefined)?.attributes ?? NO_ATTRIBUTES;
  const digest = [...digests, ...tagDigest(attributes)].join('.');
  const same = current?.digest === digest;
  if (
    same &&
    current.source === reader &&
    builtin('util').isDeepStrictEqual(current.secret.attributes, attributes)
  ) {
    return { kind: 'kept' };
  }
  const origin = found.flatMap((answer) => (answer === NO_PART ? [] : [answer.origin])).join(', ');
  const source = reader.source.name;
  const suspect = problemsOf(found);
  const taken = (value: unknown): Finding => {
    assertBegun(name, found);
    const before = current?.source === reader && !same ? (unseal(current.secret) as object) : undefined;
    if (
      before !== undefined &&
      builtin('util').isDeepStrictEqual(current?.secret.attributes, attributes) &&
      definition.isSame?.(value as object, before) === true
    ) {
      return { kind: 'kept' };
    }
    const version = found.map((one, part) => one.version ?? digests[part]?.slice(0, 16)).join('.');
    const box = seal(
      {
        name,
        source,
        origin,
        attributes,
        // The same bytes from another source are not a rotation: keep version and date.
        version: same ? current.secret.version : version,
        loadedAt: same ? current.secret.loadedAt : now.date,
        appearedAt: same ? current.secret.appearedAt : appearedAtOf(found),
      },
      value,
      owner,
    );
    const previous = same ? current.previous : previousOf(current, definition.keepPreviousMs, now);
    const loadedAtMs = same ? current.loadedAtMs : now.ms;
    return { kind: 'value', entry: { secret: box, loadedAtMs, digest, source: reader, previous, suspect } };
  };
  const refused = (error: unknown): Finding => {
    const known = isSecretsError(error) ? error : undecodable(name, error);
    const located = new SecretsError(
      known.code,
      `${withNames(known.what, name, definition.lookups)} (read from ${origin})`,
      {
        secret: name,
        source,
        next: known.next,
      },
    );
    return problem(located, reader, isEarly(located) ? 'early' : 'invalid', digest);
  };
  try {
    const decoded = definition.decode(
      found.map(({ bytes }) => bytes),
      (problem) => suspect.push(problem),
    );
    if (!isThenable(decoded)) return taken(decoded);
    // If a schema never settles, later refreshes must still run.
    const inTime = bounded(Promise.resolve(decoded), timeoutMs, () => decodingTimedOut(name, timeoutMs));
    return inTime.then(taken).catch(refused);
  } catch (error) {
    return refused(error);
  }
}

function problemsOf(found: readonly FoundReading[]): SecretsError[] {
  return found.flatMap(({ problems = [] }) => problems);
}

/** The last time that a `Date` can hold. */
const MAX_DATE_MS = 8.64e15;

/** When the last part of a value appeared; `undefined` if one of its places does not tell. */
function appearedAtOf(found: readonly FoundReading[]): Date | undefined {
  const times = found.flatMap((one) => (one === NO_PART ? [] : [one.appearedAtMs ?? Number.NaN]));
  const latest = Math.max(...times);
  return Math.abs(latest) <= MAX_DATE_MS ? new Date(latest) : undefined;
}

/** @throws `VALUE_NOT_YET_VALID` if the source says that a value must not be used yet. */
function assertBegun(name: string, found: readonly FoundReading[]): void {
  const starts = found.map(({ attributes }) => attributes?.notBefore?.getTime() ?? 0);
  const start = Math.max(...starts);
  if (start <= Date.now()) return;
  const what = `the value of "${name}" is not valid before ${new Date(start).toISOString()}`;
  throw new SecretsError('VALUE_NOT_YET_VALID', what, {
    secret: name,
    next: 'It is used from then on. To use it now, change its activation date in the source.',
  });
}

function isEarly(error: unknown): boolean {
  return isSecretsError(error, 'VALUE_NOT_YET_VALID', 'CERTIFICATE_NOT_YET_VALID');
}

/** Tags may hold half of a credential, such as a user name that alternates. */
function tagDigest({ tags }: SecretAttributes): string[] {
  const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [fingerprint(Buffer.from(JSON.stringify(entries)))];
}

/** Number of previous values kept for masking, even after their grace period: log lines may be written late. */
const MAX_PREVIOUS = 8;

function previousOf(current: Entry | undefined, keepMs: number, now: Moment): Entry['previous'] {
  if (current === undefined) return [];
  const until = now.ms + keepMs;
  return [{ secret: current.secret, until }, ...current.previous].slice(0, MAX_PREVIOUS);
}

/** Returns the definition of an undeclared name. Throws `NAME_INVALID` for a file name that is not a valid alias. */
export function discovered(name: string): Definition<unknown> {
  return secret.text(name).optional();
}

/**
 * Finds an undeclared name that no source listed, usually a variable of the environment. Equal views always give equal
 * answers.
 * @throws The error of the first source that has the name but cannot read it.
 */
export function lookUp(
  name: string,
  views: ReadonlyMap<SourceReader, SourceView>,
  owner: OfStore,
  now: Moment,
): Entry | undefined {
  const wanted = lookup(name);
  for (const [reader, view] of views) {
    // A failed source is never skipped: it may have the name.
    if (view.failure !== undefined) return undefined;
    const answer = view.lookUp?.(wanted);
    if (answer === undefined || answer.status === 'missing') continue;
    if (answer.status === 'failed') throw answer.error;
    assertBegun(name, [answer]);
    const { bytes, origin, attributes = NO_ATTRIBUTES } = answer;
    const digest = fingerprint(bytes);
    const version = answer.version ?? digest.slice(0, 16);
    const appearedAt = appearedAtOf([answer]);
    const source = reader.source.name;
    const label = { name, version, source, origin, loadedAt: now.date, appearedAt, attributes };
    const suspect = problemsOf([answer]);
    const value = discovered(name).decode([bytes], (problem) => suspect.push(problem));
    const box = seal(label, value, owner);
    return {
      secret: box,
      loadedAtMs: now.ms,
      digest: [digest, ...tagDigest(attributes)].join('.'),
      source: reader,
      previous: [],
      suspect,
    };
  }
  return undefined;
}

function problem(
  error: SecretsError,
  source: SourceReader,
  kind: Problem['kind'],
  cause = error.message,
): Finding {
  return { kind: 'problem', problem: { error, source, kind, cause } };
}

function vanished(name: string, { lookups }: Definition<unknown>, { secret, source }: Entry): Finding {
  const what = `${bothNames(name, lookups)} is gone from ${secret.source} (${secret.origin})`;
  const error = new SecretsError('SECRET_VANISHED', what, {
    secret: name,
    source: secret.source,
    next: 'Put it back, or remove its definition. Its last value stays in use until this process restarts.',
  });
  return problem(error, source, 'vanished', 'vanished');
}
