import type { SecretsError } from '../errors';
import type { SecretAttributes } from '../secret/attributes';
import type { Lookup } from '../secret/lookup';

/**
 * A place that secrets come from. Sources only read: caching, retry, ordering, coalescing, fallback, validation and
 * closing live once, in the store. The rules (`test/contract` holds every source of this package to them, and
 * `sourceContract` of `hot-secrets/testing` holds yours):
 *
 * 1. One `read` answers with one consistent picture: everything that it found existed together.
 * 2. "Missing" and "failed" are told apart. `missing` lets the store ask the next source; `failed` (denied, timed
 *    out, torn, too large) never does.
 * 3. A failure of one lookup is a reading; a failure of the whole source is a thrown `SecretsError`.
 * 4. Bytes are returned unchanged: not trimmed, decoded or validated. They are fresh memory, which the
 *    store overwrites with zeros once it has decoded them.
 * 5. `unchanged` is answered only where `since` was given and it is certain that nothing changed.
 * 6. `read` honours `signal`, and rejects no later than shortly after it aborts.
 * 7. `watch` carries no data: it says "refresh now". It may say so too often, and never throws.
 * 8. No message, name or property of an error holds a value.
 * 9. `read` is never called twice at the same time, nor after `close`.
 */
export interface Source {
  /** The kind, as reports show it: `mounted-files`, `environment`, `key-vault`. */
  readonly name: string;
  /** Which one: a path, a URL; empty where there is only one. */
  readonly location: string;
  /** Milliseconds after which a source without a successful read counts as stale; `Infinity` (default): never. */
  readonly maxStalenessMs?: number;

  /** Called once before the first `read`; may wait (bounded by `signal`) and may refuse by throwing. */
  open?(signal: AbortSignal): Promise<void>;
  read(request: ReadRequest): Promise<ReadResult>;
  /** Names that the source holds, for error messages. Never values. */
  inventory(): Promise<readonly string[]>;
  /** A note on its state for `report()`, although nothing failed. */
  note?(): string | undefined;
  /** Starts to say "refresh now", and returns a function that stops it. Called at most once. */
  watch?(listener: SourceListener): () => void | Promise<void>;
  close?(): void | Promise<void>;
}

export interface SourceListener {
  /** Refresh now. `trigger` is `watch` after an event and `poll` after an interval. */
  hint(trigger: string): void;
  /** A problem of watching, not of reading; reported once. */
  problem(error: SecretsError): void;
  /** The problem of this code is over. */
  solved(code: SecretsError['code']): void;
}

export interface ReadRequest {
  readonly lookups: readonly Lookup[];
  /** Read every secret that the source can list, too. */
  readonly list: boolean;
  /** The `revision` of the last result, where an `unchanged` answer is welcome. */
  readonly since: string | undefined;
  readonly signal: AbortSignal;
}

export interface ReadResult {
  /** True where `since` was given and nothing changed; `readings` is empty then. */
  readonly unchanged: boolean;
  /** By `lookup.name`; listed secrets by their own names. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** An opaque mark of this state, where the source can compare cheaply. */
  readonly revision: string | undefined;
  /**
   * Answers for names that were not asked for, from the same picture as `readings`, also when the source changes later:
   * for sources that cannot list their secrets and hold all of them at hand. Only used where nothing was declared.
   */
  readonly lookUp?: (lookup: Lookup) => Reading;
}

export type Reading = FoundReading | MissingReading | FailedReading;

export interface FoundReading {
  readonly status: 'found';
  readonly bytes: Uint8Array;
  /** Where exactly: a path, a variable's name. */
  readonly origin: string;
  /** The source's own version id; without it the store makes one from a keyed hash. */
  readonly version?: string;
  /** What else the source knows of the value. A change of `tags` is a rotation, as one of the bytes is. */
  readonly attributes?: SecretAttributes;
}

export interface MissingReading {
  readonly status: 'missing';
  /** What was looked for: a path, the variables' names. */
  readonly looked: string;
}

export interface FailedReading {
  readonly status: 'failed';
  readonly error: SecretsError;
}
