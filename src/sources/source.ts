import type { SecretsError } from '../errors';
import type { SecretAttributes } from '../secret/attributes';
import type { Lookup } from '../secret/lookup';

/**
 * A place that secrets come from. A source only reads: the store does caching, retries, ordering, coalescing, fallback,
 * validation and closing. These are the rules. `test/contract` checks them for every source of this package, and
 * `sourceContract` of `hot-secrets/testing` checks them for yours:
 *
 * 1. One `read` returns one consistent picture: everything in it existed together.
 * 2. `missing` and `failed` are different. After `missing`, the store asks the next source. After `failed` (denied, timed
 *    out, torn, too large), it never does.
 * 3. A failure of one lookup is a reading. A failure of the whole source is a thrown `SecretsError`.
 * 4. Bytes are unchanged: not trimmed, decoded or validated. They are fresh memory, which the store overwrites with zeros
 *    after decoding.
 * 5. `read` returns `unchanged` only if `since` was given and certainly nothing changed.
 * 6. `read` stops work when `signal` aborts, and rejects shortly after.
 * 7. `watch` carries no data: it says "refresh now". It may say so too often, and never throws.
 * 8. No message, name or property of an error contains a value.
 * 9. The store never calls `read` during another `read`, or after `close`.
 */
export interface Source {
  /** The kind of source in reports: `mounted-files`, `environment`, `key-vault`. */
  readonly name: string;
  /** The path or URL of the source; empty if there can be only one. */
  readonly location: string;
  /** Milliseconds without a successful read after which the source is stale. Default: `Infinity`, never. */
  readonly maxStalenessMs?: number;
  /**
   * Milliseconds that `open` of a store waits for required secrets that are missing or cannot be used yet. Until then it reads
   * this source again and again. Default: 0.
   */
  readonly waitForSecretsMs?: number;

  /** Called once before the first `read`. May wait until `signal` aborts, and may throw to prevent the open. */
  open?(signal: AbortSignal): Promise<void>;
  read(request: ReadRequest): Promise<ReadResult>;
  /** Returns the names that the source has, for error messages. Never values. */
  inventory(): Promise<readonly string[]>;
  /** Returns a remark about the state of the source for `report()`, if there is one and nothing failed. */
  note?(): string | undefined;
  /** Starts to call `listener` when a refresh is due. Returns a function that stops it. Called at most once. */
  watch?(listener: SourceListener): () => void | Promise<void>;
  close?(): void | Promise<void>;
}

/** What a source calls while it is watched. */
export interface SourceListener {
  /** Requests a refresh. `trigger` is `watch` after an event and `poll` after an interval. */
  hint(trigger: string): void;
  /** Reports a problem of watching, not of reading. Call it once per problem. */
  problem(error: SecretsError): void;
  /** Reports that the problem with this code is over. */
  solved(code: SecretsError['code']): void;
}

/** What a source is asked for. */
export interface ReadRequest {
  readonly lookups: readonly Lookup[];
  /** Also read every secret that the source can list. */
  readonly list: boolean;
  /** The `revision` of the last result, if `unchanged` is a valid answer. */
  readonly since: string | undefined;
  readonly signal: AbortSignal;
}

/** The answer of a source. */
export interface ReadResult {
  /** True if `since` was given and nothing changed. `readings` is then empty. */
  readonly unchanged: boolean;
  /** Readings by `lookup.name`; listed secrets by their own names. */
  readonly readings: ReadonlyMap<string, Reading>;
  /** An opaque id of this state, if the source can compare states cheaply. */
  readonly revision: string | undefined;
  /**
   * Answers for names that were not requested, from the same picture as `readings`, even if the source changes later. For
   * sources that have all secrets in memory but cannot list them. Only stores without declared secrets use it.
   */
  readonly lookUp?: (lookup: Lookup) => Reading;
}

/** The answer of a source for one secret. */
export type Reading = FoundReading | MissingReading | FailedReading;

/** A source has the secret. */
export interface FoundReading {
  readonly status: 'found';
  readonly bytes: Uint8Array;
  /** The place in the source: a path, or the name of a variable. */
  readonly origin: string;
  /** The source's version id. Default: the store makes one from a keyed hash of the bytes. */
  readonly version?: string;
  /**
   * When the value appeared in its place, at the latest, in milliseconds since the epoch. It may be too late, never too early.
   * Leave it out if the place does not tell.
   */
  readonly appearedAtMs?: number;
  /** Metadata of the value. A change of `tags` is a rotation, like a change of the bytes. */
  readonly attributes?: SecretAttributes;
  /** Problems of the place that the value comes from. The value is used, and `health()` shows them. */
  readonly problems?: readonly SecretsError[];
}

/** A source does not have the secret. The next source is asked. */
export interface MissingReading {
  readonly status: 'missing';
  /** The place that was searched: a path, or the names of variables. */
  readonly looked: string;
}

/** A source could not tell whether it has the secret. The next source is not asked. */
export interface FailedReading {
  readonly status: 'failed';
  readonly error: SecretsError;
}
