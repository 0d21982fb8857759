import { isSecretsError, SecretsError } from '../errors';
import { builtin } from '../internal/builtins';
import { describeError } from '../internal/describe-error';
import { bounded, deadline } from '../internal/time';
import { sealAttributes } from '../secret/attributes';
import type { Lookup } from '../secret/lookup';
import type { Reading, ReadRequest, ReadResult, Source } from '../sources/source';

/**
 * The result of one read of one source. It never changes: a generation is decided by the readings that it is made of,
 * not by what a source does meanwhile.
 */
export interface SourceReading {
  /** What the read answered, by lookup name. `undefined`: nothing changed since the read before, or the read failed. */
  readonly answers: ReadonlyMap<string, Reading> | undefined;
  /** Answers for names that were not asked for, out of the same picture. */
  readonly lookUp: ((lookup: Lookup) => Reading) | undefined;
  /** Why the source as a whole could not be read. */
  readonly failure: SecretsError | undefined;
}

const UNCHANGED: SourceReading = { answers: undefined, lookUp: undefined, failure: undefined };

// A source that honours its signal answers before this is over.
const GRACE_MS = 500;

/** Reads one source: bounds each read, never runs two at a time, and checks what comes in. */
export class SourceReader {
  readonly source: Source;
  /** Order of precedence: 0 is asked first. */
  readonly rank: number;
  #revision: string | undefined;
  /** The names that the revision covers. */
  #asked: ReadonlySet<string> = new Set();
  #failure: SecretsError | undefined;
  #lastReadAt: number | undefined;
  #busy = false;

  constructor(source: Source, rank: number) {
    this.source = source;
    this.rank = rank;
  }

  /** Why the last read failed, if it did. */
  get failure(): SecretsError | undefined {
    return this.#failure;
  }

  /** When a read last succeeded, in milliseconds since the epoch. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /** True once a read has ended, well or not. */
  get wasRead(): boolean {
    return this.#lastReadAt !== undefined || this.#failure !== undefined;
  }

  async open(signal: AbortSignal): Promise<void> {
    try {
      await this.source.open?.(signal);
    } catch (error) {
      throw this.asSecretsError(error);
    }
  }

  /** Makes the next read answer in full: no generation was made of the last one. */
  forget(): void {
    this.#revision = undefined;
  }

  /** Reads the source once. `force`: reads in full, without "unchanged". Never rejects. */
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
      this.#lastReadAt = Date.now();
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

  /** A `SecretsError` as it is; any other error by its kind, without its message. */
  asSecretsError(error: unknown): SecretsError {
    if (isSecretsError(error)) return error;
    return this.#problem(`the source ${this.source.name} failed with ${describeError(error)}`);
  }

  async #within(timeoutMs: number, request: ReadRequest): Promise<ReadResult> {
    if (this.#busy) throw this.#problem(`the source ${this.source.name} is still busy with the read before`);
    // Set before the source is called: it may ask for another refresh from within `read`.
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

  /** Checks a result where it comes in, so that a source that breaks its contract harms no other. */
  #checked({ unchanged, readings, revision, lookUp }: ReadResult, since: string | undefined): SourceReading {
    if (unchanged === true) {
      if (since === undefined) throw this.#invalid('answered "unchanged" although no revision was given');
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
      const { bytes, version, attributes } = reading;
      if (!builtin('util').types.isUint8Array(bytes))
        throw this.#invalid(`handed over "${name}" as something other than bytes`, name);
      const origin = typeof reading.origin === 'string' ? reading.origin : this.source.name;
      return {
        status: 'found',
        bytes,
        origin,
        ...(typeof version === 'string' && { version }),
        ...(attributes !== undefined && { attributes: sealAttributes(attributes) }),
      };
    } catch (error) {
      if (isSecretsError(error)) return { status: 'failed', error };
      return {
        status: 'failed',
        error: this.#invalid(`handed over "${name}" in a shape that cannot be used`, name),
      };
    }
  }

  #invalid(what: string, secret?: string): SecretsError {
    return new SecretsError('SOURCE_FAILED', `the source ${this.source.name} ${what}`, {
      secret,
      source: this.source.name,
      next: 'Fix the source: see the contract of Source. The last good values keep serving.',
    });
  }

  #problem(what: string): SecretsError {
    return new SecretsError('SOURCE_FAILED', what, {
      source: this.source.name,
      next: 'The last good values keep serving; the next refresh reads it again.',
    });
  }
}
