import { isUint8Array } from 'node:util/types';
import { isSecretsError, SecretsError } from '../errors';
import { describeError } from '../internal/describe-error';
import { bounded } from '../internal/time';
import type { Reading, ReadRequest, ReadResult, Source } from '../sources/source';

/** What a look at one source brought. */
export type Outcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'read'; readonly readings: ReadonlyMap<string, Reading> }
  | { readonly kind: 'failed'; readonly error: SecretsError };

// A source that honours its signal answers before this is over.
const GRACE_MS = 500;

/** One source as the store sees it over time. Holds statuses, never bytes. */
export class SourceState {
  readonly source: Source;
  /** The last good look, by lookup name: what was found where; bytes are not kept. */
  readings: ReadonlyMap<string, Reading['status']> = new Map();
  looked: ReadonlyMap<string, string> = new Map();
  failure: SecretsError | undefined;
  lastRefreshAt: number | undefined;
  revision: string | undefined;
  #reading: Promise<unknown> | undefined;

  constructor(source: Source) {
    this.source = source;
  }

  /** Opens the source. */
  async open(signal: AbortSignal): Promise<void> {
    try {
      await this.source.open?.(signal);
    } catch (error) {
      throw this.asSecretsError(error);
    }
  }

  async look(request: ReadRequest, timeoutMs: number): Promise<Outcome> {
    try {
      const result = await this.#read(request, timeoutMs);
      const readings = new Map(
        [...result.readings].map(([name, reading]) => [name, this.#checked(name, reading)]),
      );
      this.failure = undefined;
      this.lastRefreshAt = Date.now();
      if (result.unchanged) return { kind: 'unchanged' };
      this.revision = result.revision;
      this.readings = mapValues(readings, (reading) => reading.status);
      this.looked = new Map(
        [...readings].flatMap(([name, reading]) =>
          reading.status === 'missing' ? [[name, reading.looked] as const] : [],
        ),
      );
      return { kind: 'read', readings };
    } catch (error) {
      this.revision = undefined;
      this.failure = this.asSecretsError(error);
      return { kind: 'failed', error: this.failure };
    }
  }

  async #read(request: ReadRequest, timeoutMs: number): Promise<ReadResult> {
    if (this.#reading !== undefined) throw this.#late('is still busy with the look before');
    const reading = this.source.read(request);
    this.#reading = reading;
    const settled = () => {
      this.#reading = undefined;
    };
    reading.then(settled, settled);
    return bounded(reading, timeoutMs + GRACE_MS, () => this.#late(`did not answer within ${timeoutMs} ms`));
  }

  /** Sources that others write break the contract in two ways that would get far: text for bytes, foreign errors. */
  #checked(name: string, reading: Reading): Reading {
    if (reading.status === 'failed' && !isSecretsError(reading.error)) {
      return { status: 'failed', error: this.asSecretsError(reading.error) };
    }
    if (reading.status !== 'found' || isUint8Array(reading.bytes)) return reading;
    const what = `the source ${this.source.name} handed over "${name}" as something other than bytes`;
    const next = 'Mend the source: bytes of a found reading are a Uint8Array.';
    const error = new SecretsError('SOURCE_FAILED', what, { secret: name, source: this.source.name, next });
    return { status: 'failed', error };
  }

  #late(what: string): SecretsError {
    return new SecretsError('SOURCE_FAILED', `the source ${this.source.name} ${what}`, {
      source: this.source.name,
      next: 'The last good values keep serving; it is asked again at the next look.',
    });
  }

  /** An error of ours as it is; another one named without its message. */
  asSecretsError(error: unknown): SecretsError {
    if (isSecretsError(error)) return error;
    const what = `the source ${this.source.name} failed with ${describeError(error)}`;
    return new SecretsError('SOURCE_FAILED', what, {
      source: this.source.name,
      next: 'The last good values keep serving; it is asked again at the next look.',
    });
  }
}

function mapValues<A, B>(map: ReadonlyMap<string, A>, change: (value: A) => B): Map<string, B> {
  return new Map([...map].map(([key, value]) => [key, change(value)]));
}
