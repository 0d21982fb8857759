import { isDeepStrictEqual } from 'node:util';
import type { Definition } from '../definitions/definition';
import { secret } from '../definitions/secret';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { isThenable } from '../internal/events';
import { bounded } from '../internal/time';
import type { OfStore } from '../observe/channels';
import { NO_ATTRIBUTES, type SecretAttributes } from '../secret/attributes';
import { fingerprint } from '../secret/fingerprint';
import { type Lookup, lookup } from '../secret/lookup';
import { type Secret, seal } from '../secret/secret';
import type { FoundReading, Reading } from '../sources/source';
import type { SourceReader, SourceReading } from './source-reader';

/** What serves a name: its current box, and the boxes before it with the time until which they are still accepted. */
export interface Entry {
  readonly secret: Secret<unknown>;
  /** Of the bytes and tags: equal digests mean the same value. */
  readonly digest: string;
  readonly source: SourceReader;
  readonly previous: readonly { readonly secret: Secret<unknown>; readonly until: number }[];
}

/** What is known of one source, from the readings that generations were made of. It never changes, and holds no bytes. */
export interface SourceView {
  /** By lookup name. */
  readonly answers: ReadonlyMap<string, { readonly status: Reading['status']; readonly looked?: string }>;
  readonly lookUp: SourceReading['lookUp'];
  readonly failure: SecretsError | undefined;
  /** Discovered names that vanished along with a change of others, which the next reading has to confirm. */
  readonly lacking: ReadonlySet<string>;
}

export interface Problem {
  readonly error: SecretsError;
  readonly source: SourceReader;
  /** `read`: the source as a whole. `failed`: this one cannot be read. `invalid`: it can be read and is unusable. */
  readonly kind: 'read' | 'failed' | 'vanished' | 'invalid';
  /** Tells one bad value from the next. */
  readonly cause: string;
}

/** What one source says about a name in this refresh. */
export type Finding =
  | { readonly kind: 'kept' }
  /** The source was not read in this refresh, or did not answer. */
  | { readonly kind: 'unseen'; readonly source: SourceReader }
  /** No source has it, and none ever had. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly entry: Entry }
  | { readonly kind: 'problem'; readonly problem: Problem };

/** What a refresh says about one name. */
export interface Resolution {
  /** In the source that serves the name; for a name without a value, in the first source that has it. */
  readonly here: Finding;
  /** In the sources of higher precedence that have the name too, best first. */
  readonly above: readonly Finding[];
}

/** What a refresh decides by. */
export interface Evidence {
  readonly owner: OfStore;
  /** Every source in order of precedence, as its last reading left it. */
  readonly views: ReadonlyMap<SourceReader, SourceView>;
  /** The readings of this refresh. */
  readonly readings: ReadonlyMap<SourceReader, SourceReading>;
  readonly now: Date;
  readonly timeoutMs: number;
}

/**
 * Finds the value of one name: the first source that has it, in order of precedence. `missing` asks the next source,
 * `failed` does not. A name that a source serves already may move up to a source of higher precedence, never down.
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
      // A source that was not read in this refresh says nothing new: its last reading may have been held back.
      const read = evidence.readings.get(reader)?.answers !== undefined;
      return { here: read ? vanished(name, current) : { kind: 'unseen', source: reader }, above };
    }
    const found = findIn(reader, view, name, definition, current, evidence);
    // Most values are there at once, and a wait for each of them would cost more than the value.
    const finding = found instanceof Promise ? await found : found;
    if (serves || current === undefined) return { here: finding, above };
    above.push(finding);
  }
  return { here: { kind: 'absent' }, above };
}

/** True when the source has the name, or may have it: what failed is never passed over. */
function hasIt({ lookups }: Definition<unknown>, view: SourceView): boolean {
  return view.failure !== undefined || lookups.some((one) => statusOf(one, view) !== 'missing');
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
  if (failed !== undefined) return problem(failed.error, reader, 'failed');
  const found = answers?.filter((answer) => answer?.status === 'found') ?? [];
  if (found.length === 0 || answers === undefined) {
    // Read well and then no more, before a generation was made: what was read counts.
    if (answers !== undefined && current?.source === reader) return vanished(name, current);
    // A source that fails as a whole is reported once, not once for each name.
    if (view.failure === undefined || current !== undefined) return { kind: 'unseen', source: reader };
    return problem(view.failure, reader, 'read');
  }
  if (found.length < answers.length) {
    return problem(incomplete(name, reader, found.length, answers.length), reader, 'invalid', 'incomplete');
  }
  try {
    return decode(reader, name, definition, found, current, evidence);
  } catch (error) {
    // Bytes that cannot be read any more, for example: of this name alone.
    return problem(undecodable(name, error), reader, 'invalid');
  }
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
  if (same && current.source === reader && isDeepStrictEqual(current.secret.attributes, attributes)) {
    return { kind: 'kept' };
  }
  const origin = found.map((answer) => answer.origin).join(', ');
  const source = reader.source.name;
  const taken = (value: unknown): Finding => {
    const version = found.map((one, part) => one.version ?? digests[part]?.slice(0, 16)).join('.');
    const box = seal(
      {
        name,
        source,
        origin,
        attributes,
        // The same bytes from a better source are not a rotation: version and date stay.
        version: same ? current.secret.version : version,
        loadedAt: same ? current.secret.loadedAt : now,
      },
      value,
      owner,
    );
    const previous = same ? current.previous : previousOf(current, definition.keepPreviousMs, now);
    return { kind: 'value', entry: { secret: box, digest, source: reader, previous } };
  };
  const refused = (error: unknown): Finding => {
    const known = isSecretsError(error) ? error : undecodable(name, error);
    const located = new SecretsError(known.code, `${known.what} (read from ${origin})`, {
      secret: name,
      source,
      next: known.next,
    });
    return problem(located, reader, 'invalid', digest);
  };
  try {
    const decoded = definition.decode(found.map(({ bytes }) => bytes));
    if (!isThenable(decoded)) return taken(decoded);
    // One that never answers must not end all later refreshes.
    const inTime = bounded(Promise.resolve(decoded), timeoutMs, () => decodingTimedOut(name, timeoutMs));
    return inTime.then(taken).catch(refused);
  } catch (error) {
    return refused(error);
  }
}

/** Tags hold the other half of some credentials: a user name that alternates. */
function tagDigest({ tags }: SecretAttributes): string[] {
  const entries = Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? [] : [fingerprint(Buffer.from(JSON.stringify(entries)))];
}

/** How many values before the current one are kept, whatever their grace: a log line that holds one may be late. */
const MAX_PREVIOUS = 8;

function previousOf(current: Entry | undefined, keepMs: number, now: Date): Entry['previous'] {
  if (current === undefined) return [];
  const until = now.getTime() + keepMs;
  return [{ secret: current.secret, until }, ...current.previous].slice(0, MAX_PREVIOUS);
}

/** The definition of an undeclared name. Throws `NAME_INVALID` for a file name that cannot be an alias. */
export function discovered(name: string): Definition<unknown> {
  return secret.text(name).optional();
}

/**
 * Finds an undeclared name that no source listed in the view of each source, usually the environment of a laptop. The
 * same views always give the same answer.
 * @throws The problem of the value in the first source that has it.
 */
export function lookUp(
  name: string,
  views: ReadonlyMap<SourceReader, SourceView>,
  owner: OfStore,
  now: Date,
): Entry | undefined {
  const wanted = lookup(name);
  for (const [reader, view] of views) {
    // A source that failed is not passed over: it might have the name.
    if (view.failure !== undefined) return undefined;
    const answer = view.lookUp?.(wanted);
    if (answer === undefined || answer.status === 'missing') continue;
    if (answer.status === 'failed') throw answer.error;
    const { bytes, origin, attributes = NO_ATTRIBUTES } = answer;
    const digest = fingerprint(bytes);
    const version = answer.version ?? digest.slice(0, 16);
    const label = { name, version, source: reader.source.name, origin, loadedAt: now, attributes };
    const box = seal(label, discovered(name).decode([bytes]), owner);
    return {
      secret: box,
      digest: [digest, ...tagDigest(attributes)].join('.'),
      source: reader,
      previous: [],
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

function vanished(name: string, { secret, source }: Entry): Finding {
  const what = `"${name}" is gone from ${secret.source} (${secret.origin})`;
  const error = new SecretsError('SECRET_VANISHED', what, {
    secret: name,
    source: secret.source,
    next: 'Its last value keeps serving while this process runs. Put it back, or remove its definition.',
  });
  return problem(error, source, 'vanished', 'vanished');
}

function incomplete(name: string, { source }: SourceReader, found: number, wanted: number): SecretsError {
  const what = `${source.name} holds ${found} of the ${wanted} parts of "${name}"`;
  return new SecretsError('SECRET_MISSING', what, {
    secret: name,
    source: source.name,
    next: 'Put all of its parts into the same source.',
  });
}

function undecodable(name: string, error: unknown): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" failed with ${describeError(error)}`, {
    secret: name,
  });
}

function decodingTimedOut(name: string, timeoutMs: number): SecretsError {
  return new SecretsError('VALUE_REFUSED', `decoding "${name}" took longer than ${timeoutMs} ms`, {
    secret: name,
    next: 'Check what its schema waits for, or raise refreshTimeoutMs.',
  });
}
