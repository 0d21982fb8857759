import { isSecretsError, SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { describeError } from '../internal/describe-error';
import { bounded, deadline } from '../internal/time';
import { sealAttributes } from '../secret/attributes';
import type { Lookup } from '../secret/lookup';
import type { Reading, ReadRequest, ReadResult, Source } from '../sources/source';

/**
 * The result of one read of one source. It never changes, so later changes in the source cannot affect a generation that is
 * made of it.
 */
export interface SourceReading {
  /** Answers by lookup name; `undefined` if nothing changed since the last read, or the read failed. */
  readonly answers: ReadonlyMap<string, Reading> | undefined;
  /** Answers for names that were not requested, from the same picture. */
  readonly lookUp: ((lookup: Lookup) => Reading) | undefined;
  /** The error if the whole source could not be read. */
  readonly failure: SecretsError | undefined;
}

const UNCHANGED: SourceReading = { answers: undefined, lookUp: undefined, failure: undefined };

// Extra time for a source to reject after its signal aborts.
const GRACE_MS = 500;

/** Reads one source: limits the time of each read, runs one at a time, and validates the answers. */
export class SourceReader {
  readonly source: Source;
  /** Position in the order of precedence; 0 is first. */
  readonly rank: number;
  #revision: string | undefined;
  /** The names that `#revision` covers. */
  #asked: ReadonlySet<string> = new Set();
  #failure: SecretsError | undefined;
  #lastReadAt: number | undefined;
  #busy = false;

  constructor(source: Source, rank: number) {
    this.source = source;
    this.rank = rank;
  }

  /** The error of the last read; `undefined` if it succeeded. */
  get failure(): SecretsError | undefined {
    return this.#failure;
  }

  /** When a read last succeeded, by `performance.now()`. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /** True once a read has ended, successful or not. */
  get wasRead(): boolean {
    return this.#lastReadAt !== undefined || this.#failure !== undefined;
  }

  async open(signal: AbortSignal, timeoutMs: number): Promise<void> {
    const limitMs = timeoutMs + (this.source.waitForSecretsMs ?? 0);
    const opening = (async () => this.source.open?.(signal))();
    try {
      await bounded(opening, limitMs + GRACE_MS, () =>
        this.#problem(`the source ${this.source.name} did not open within ${limitMs} ms`),
      );
    } catch (error) {
      throw this.asSecretsError(error);
    }
  }

  /** Makes the next read answer in full, because no generation used the last one. */
  forget(): void {
    this.#revision = undefined;
  }

  /** Reads the source once. `force` rules out the answer "unchanged". Never rejects. */
  async read(
    request: Pick<ReadRequest, 'lookups' | 'list'>,
    force: boolean,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<SourceReading> {
    const bound = deadline(signal, timeoutMs);
    try {
      const names = request.lookups.map(({ name }) => name);
      const covered = !force && names.every((name) => this.#asked.has(name));
      const since = covered ? this.#revision : undefined;
      const result = await this.#within(timeoutMs, { ...request, since, signal: bound.signal });
      const reading = this.#checked(result, since);
      this.#failure = undefined;
      this.#lastReadAt = performance.now();
      if (reading.answers !== undefined) {
        this.#revision = result.revision;
        this.#asked = new Set(names);
      }
      return reading;
    } catch (error) {
      this.#revision = undefined;
      this.#failure = this.asSecretsError(error);
      return { ...UNCHANGED, failure: this.#failure };
    } finally {
      bound.release();
    }
  }

  /** Returns a `SecretsError` as it is. Describes any other error by its kind, without its message. */
  asSecretsError(error: unknown): SecretsError {
    if (isSecretsError(error)) return error;
    return this.#problem(`the source ${this.source.name} failed with ${describeError(error)}`);
  }

  async #within(timeoutMs: number, request: ReadRequest): Promise<ReadResult> {
    if (this.#busy) throw this.#problem(`the source ${this.source.name} has not finished its previous read`);
    // Set before the source is called, because it may request another refresh within `read`.
    this.#busy = true;
    const reading = (async () => this.source.read(request))();
    const settled = () => {
      this.#busy = false;
    };
    reading.then(settled, settled);
    return bounded(reading, timeoutMs + GRACE_MS, () =>
      this.#problem(`the source ${this.source.name} did not answer within ${timeoutMs} ms`),
    );
  }

  /** Validates a result at once, so that a source that breaks its contract cannot affect others. */
  #checked({ unchanged, readings, revision, lookUp }: ReadResult, since: string | undefined): SourceReading {
    if (unchanged === true) {
      if (since === undefined) throw this.#invalid('answered "unchanged" to a request without a revision');
      return UNCHANGED;
    }
    if (!builtin('util').types.isMap(readings)) throw this.#invalid('answered without a Map of readings');
    if (revision !== undefined && typeof revision !== 'string') {
      throw this.#invalid('answered with a revision that is not a string');
    }
    const answers = new Map([...readings].map(([name, reading]) => [name, this.#reading(name, reading)]));
    return {
      answers,
      lookUp: typeof lookUp === 'function' ? (lookup) => this.#lookUp(lookUp, lookup) : undefined,
      failure: undefined,
    };
  }

  #lookUp(lookUp: (lookup: Lookup) => Reading, lookup: Lookup): Reading {
    try {
      return this.#reading(lookup.name, lookUp(lookup));
    } catch (error) {
      return { status: 'failed', error: this.asSecretsError(error) };
    }
  }

  #reading(name: string, reading: Reading): Reading {
    try {
      if (reading.status === 'missing') return { status: 'missing', looked: String(reading.looked) };
      if (reading.status === 'failed') return { status: 'failed', error: this.asSecretsError(reading.error) };
      if (reading.status !== 'found')
        throw this.#invalid(`answered for "${name}" with an unknown status`, name);
      const { bytes, version, appearedAtMs, attributes, problems } = reading;
      if (!builtin('util').types.isUint8Array(bytes))
        throw this.#invalid(`returned "${name}" as something other than bytes`, name);
      const origin = typeof reading.origin === 'string' ? reading.origin : this.source.name;
      return {
        status: 'found',
        bytes,
        origin,
        ...(typeof version === 'string' && { version }),
        ...(typeof appearedAtMs === 'number' && { appearedAtMs }),
        ...(attributes !== undefined && { attributes: sealAttributes(attributes) }),
        ...(Array.isArray(problems) && { problems: problems.map((problem) => this.asSecretsError(problem)) }),
      };
    } catch (error) {
      if (isSecretsError(error)) return { status: 'failed', error };
      return {
        status: 'failed',
        error: this.#invalid(`returned an invalid reading for "${name}"`, name),
      };
    }
  }

  #invalid(what: string, secret?: string): SecretsError {
    return new SecretsError('SOURCE_FAILED', `the source ${this.source.name} ${what}`, {
      secret,
      source: this.source.name,
      next: 'Fix the source: see the rules in the comment of `Source`. The last good values stay in use.',
    });
  }

  #problem(what: string): SecretsError {
    return new SecretsError('SOURCE_FAILED', what, {
      source: this.source.name,
      next: 'The next refresh reads the source again. Until then, the last good values stay in use.',
    });
  }
}
