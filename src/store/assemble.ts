import { isDeepStrictEqual } from 'node:util';
import type { Definition } from '../definitions/definition';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded } from '../internal/time';
import type { OfStore } from '../observe/channels';
import { NO_ATTRIBUTES, type SecretAttributes } from '../secret/attributes';
import { fingerprint } from '../secret/fingerprint';
import { seal } from '../secret/secret';
import type { FoundReading, Reading } from '../sources/source';
import type { Serving } from './snapshot';
import type { Outcome, SourceState } from './source-state';

/** What one look means for one name. */
export type Finding = FindingKind & {
  /** A source above the one that serves has it now and cannot hand it out, or did not answer in this look. */
  readonly above?: Trouble | 'unseen';
};

interface Trouble {
  readonly error: SecretsError;
  /** Tells one bad value from the next. */
  readonly cause: string;
  /** Index of the source. */
  readonly at: number;
}

type FindingKind =
  | { readonly kind: 'kept' }
  /** Its source was not read in this look, or did not answer. */
  | { readonly kind: 'unseen' }
  /** Nowhere, and it never was anywhere. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly serving: Serving }
  /** It has no usable value now. */
  | ({ readonly kind: 'problem' } & Trouble);

interface Look {
  readonly owner: OfStore;
  readonly sources: readonly SourceState[];
  readonly outcomes: ReadonlyMap<number, Outcome>;
  readonly now: Date;
  readonly timeoutMs: number;
}

/**
 * Finds the value of one name: the first source that has it, in order of precedence. `missing` goes on to the next
 * source, `failed` does not. A name that is served already may move up to a source of higher precedence, never down.
 */
export async function find(
  name: string,
  definition: Definition<unknown>,
  current: Serving | undefined,
  look: Look,
): Promise<Finding> {
  const last = current?.sourceIndex ?? look.sources.length - 1;
  let above: Finding['above'];
  for (let index = 0; index <= last; index += 1) {
    if (statusOf(definition, look.sources[index] as SourceState) === 'missing') continue;
    const finding = await inSource(name, definition, current, look, index);
    const isAbove = current !== undefined && index < current.sourceIndex;
    if (!isAbove || finding.kind === 'value') return above === undefined ? finding : { ...finding, above };
    // Above the source that serves, a failure decides nothing: the decision to pass it was made when it was missing.
    above = finding.kind === 'problem' ? finding : (above ?? 'unseen');
  }
  if (current === undefined) return { kind: 'absent' };
  return { kind: 'problem', error: vanished(name, current), cause: 'vanished', at: current.sourceIndex };
}

type Status = Reading['status'];

function statusOf(definition: Definition<unknown>, state: SourceState): Status {
  if (state.failure !== undefined) return 'failed';
  const statuses = definition.lookups.map(({ name }) => state.readings.get(name) ?? 'missing');
  if (statuses.includes('failed')) return 'failed';
  return statuses.includes('found') ? 'found' : 'missing';
}

function failureOf(definition: Definition<unknown>, outcome: Outcome | undefined): SecretsError | undefined {
  if (outcome?.kind !== 'read') return undefined;
  const readings = definition.lookups.map((lookup) => outcome.readings.get(lookup.name));
  return readings.find((reading) => reading?.status === 'failed')?.error;
}

async function inSource(
  name: string,
  definition: Definition<unknown>,
  current: Serving | undefined,
  look: Look,
  index: number,
): Promise<FindingKind> {
  const outcome = look.outcomes.get(index);
  const state = look.sources[index] as SourceState;
  if (state.failure !== undefined) {
    // The failure of a whole source is reported once, as that of the source.
    if (current !== undefined) return { kind: 'unseen' };
    return { kind: 'problem', error: state.failure, cause: 'source', at: index };
  }
  if (outcome?.kind !== 'read') return { kind: 'unseen' };
  const readings = definition.lookups.map((lookup) => outcome.readings.get(lookup.name));
  const failure = failureOf(definition, outcome);
  if (failure !== undefined) return { kind: 'problem', error: failure, cause: failure.message, at: index };
  const found = readings.filter((reading): reading is FoundReading => reading?.status === 'found');
  if (found.length < definition.lookups.length) {
    const error = incomplete(name, state, found.length, definition.lookups.length);
    return { kind: 'problem', error, cause: 'incomplete', at: index };
  }
  const { owner, now, timeoutMs } = look;
  const place = { owner, index, source: state.source.name, now, timeoutMs };
  return decode(name, definition, found, current, place);
}

interface Place {
  readonly owner: OfStore;
  readonly index: number;
  readonly source: string;
  readonly now: Date;
  readonly timeoutMs: number;
}

async function decode(
  name: string,
  definition: Definition<unknown>,
  found: readonly FoundReading[],
  current: Serving | undefined,
  { owner, index, source, now, timeoutMs }: Place,
): Promise<FindingKind> {
  const digests = found.map(({ bytes }) => fingerprint(bytes));
  const attributes = found.find((one) => one.attributes !== undefined)?.attributes ?? NO_ATTRIBUTES;
  const digest = [...digests, ...tagDigest(attributes)].join('.');
  const told = current === undefined || isDeepStrictEqual(current.secret.attributes, attributes);
  if (current?.digest === digest && current.sourceIndex === index && told) return { kind: 'kept' };
  try {
    const decoded = definition.decode(found.map(({ bytes }) => bytes));
    // A schema may be asynchronous, and one that never answers must not end all later looks.
    const value =
      decoded instanceof Promise ? await bounded(decoded, timeoutMs, () => slow(name, timeoutMs)) : decoded;
    const version = found.map((one, part) => one.version ?? digests[part]?.slice(0, 16)).join('.');
    const origin = found.map((reading) => reading.origin).join(', ');
    // The same bytes from a better source are no rotation: the date of the value stays.
    const same = current?.digest === digest;
    const loadedAt = same ? current.secret.loadedAt : now;
    const secret = seal(
      { name, version: same ? current.secret.version : version, source, origin, loadedAt, attributes },
      value,
      owner,
    );
    const previous = same ? current.previous : previousOf(current, definition.keepPreviousMs, now);
    return { kind: 'value', serving: { secret, digest, sourceIndex: index, previous } };
  } catch (error) {
    const known = isSecretsError(error) ? error : undecodable(name, error);
    const located = new SecretsError(
      known.code,
      `${known.what} (read from ${found.map(({ origin }) => origin).join(', ')})`,
      {
        secret: name,
        source,
        ...(known.next === undefined ? {} : { next: known.next }),
      },
    );
    return { kind: 'problem', error: located, cause: digest, at: index };
  }
}

/** Tags hold the other half of some credentials: a user name that alternates. */
function tagDigest({ tags }: SecretAttributes): string[] {
  const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [fingerprint(Buffer.from(JSON.stringify(entries)))];
}

const MOST_PREVIOUS = 8;

/** The last ones are kept in any case: the redactor masks them, and a log line may be late. */
function previousOf(current: Serving | undefined, keepMs: number, now: Date): Serving['previous'] {
  if (current === undefined) return [];
  const until = now.getTime() + keepMs;
  return [{ secret: current.secret, until }, ...current.previous].slice(0, MOST_PREVIOUS);
}

function vanished(name: string, { secret }: Serving): SecretsError {
  return new SecretsError('SECRET_VANISHED', `"${name}" is gone from ${secret.source} (${secret.origin})`, {
    secret: name,
    source: secret.source,
    next: 'Its last value keeps serving, for as long as this process runs; put it back or remove its definition.',
  });
}

function incomplete(name: string, { source }: SourceState, found: number, wanted: number): SecretsError {
  return new SecretsError(
    'SECRET_MISSING',
    `${source.name} holds ${found} of the ${wanted} parts of "${name}"`,
    {
      secret: name,
      source: source.name,
      next: 'Put all of its parts into the same source.',
    },
  );
}

function undecodable(name: string, error: unknown): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" failed with ${describeError(error)}`, {
    secret: name,
  });
}

function slow(name: string, timeoutMs: number): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" took longer than ${timeoutMs} ms`, {
    secret: name,
    next: 'Check what its schema waits for, or raise refreshTimeoutMs.',
  });
}
