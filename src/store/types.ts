import type { Definition, Expiry } from '../definitions/definition';
import type { SecretsError, SecretsErrorCode } from '../errors';
import type { ListenOptions } from '../internal/events';
import type { Secret } from '../secret/secret';
import type { Source } from '../sources/source';

/** What `open({ secrets })` takes: a definition, or an alias as shorthand for `secret.text(alias)`. */
export type Definitions = Readonly<Record<string, string | Definition<unknown>>>;

/** Names to types of values, from the definitions. */
export type ValuesOf<D extends Definitions> = {
  readonly [K in keyof D]: D[K] extends Definition<infer T> ? T : string;
};

/** A box, or `undefined` too for a secret that is optional. */
export type SecretOf<T> = Secret<Exclude<T, undefined>> | Extract<T, undefined>;

/** The boxes of all names, and what `revealWithPrevious` returns: mapped, so that a store of more names fits where fewer are asked for. */
export type Boxes<V> = { readonly [K in keyof V]: SecretOf<V[K]> };
export type Lists<V> = { readonly [K in keyof V]: readonly Exclude<V[K], undefined>[] };

/** What stores and snapshots have in common: synchronous reads that cost a map lookup. */
export interface SecretReader<V> {
  /**
   * The value. Bytes and objects are shared, not copied: treat them as read-only.
   * @throws `NAME_UNKNOWN` for a name that is not declared and not found, `STORE_CLOSED` after `close()`.
   */
  reveal<K extends keyof V & string>(name: K): V[K];
  /** The current value, then the previous one while it is within `keepPreviousMs`. */
  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K];
  /** The box: name, version, source, loadedAt. */
  get<K extends keyof V & string>(name: K): Boxes<V>[K];
  /** When `revealWithPrevious` will drop a value, by its `keepPreviousMs`; `undefined` while it returns the current one alone. */
  graceEndsAt<K extends keyof V & string>(name: K): Date | undefined;
  /** True when the name has a value. */
  has(name: keyof V & string): boolean;
  /** The names that have a value; without declared secrets, those that sources list. */
  names<N extends keyof V & string = keyof V & string>(): readonly N[];
}

/** One generation: everything in it was in its source together. It never changes, and gives each answer again. */
export interface Snapshot<V = Readonly<Record<string, string>>> extends SecretReader<V> {
  readonly generation: number;
  readonly takenAt: Date;
}

export interface SecretChange<Name extends string = string> {
  readonly name: Name;
  /**
   * `added`: it had no value before. `rotated`: it had another one. `removed`: a discovered secret that was never read is
   * gone from its source.
   */
  readonly kind: 'added' | 'rotated' | 'removed';
  readonly source: string;
  /** `undefined` for one that was removed. */
  readonly version: string | undefined;
  readonly previousVersion: string | undefined;
}

export interface ChangeEvent<Name extends string = string> {
  readonly generation: number;
  /** What made the store refresh: `watch`, `poll`, `refresh`, `auth-failure`, … */
  readonly trigger: string;
  readonly changes: readonly SecretChange<Name>[];
}

/** A certificate with the time that it has left. */
export interface ExpiryReport extends Expiry {
  readonly name: string;
  /** With fractions; negative once it has expired. */
  readonly daysLeft: number;
}

export interface ExpiringEvent extends ExpiryReport {
  /** The threshold of `expiryThresholdsDays` that was passed. */
  readonly thresholdDays: number;
}

export interface StoreEvents<Name extends string = string> {
  /** Once per generation, after the new snapshot is in place. */
  change: ChangeEvent<Name>;
  /**
   * Once per cause, not once per retry; the last good values keep serving. Also problems of resources that follow the
   * store: `error.resource` names the pool, server or agent. Without a listener: `process.emitWarning`.
   */
  error: SecretsError;
  /** The cause of an earlier `error` is gone. */
  recovered: SecretsError;
  /** A certificate expires soon: once per certificate and threshold. Without a listener: `process.emitWarning`. */
  expiring: ExpiringEvent;
  /** `close()` was called: the last event. */
  close: { readonly generation: number };
}

/** Listeners by event, for `open({ on })`. */
export type StoreListeners<Name extends string = string> = {
  readonly [E in keyof StoreEvents]?: ((payload: StoreEvents<Name>[E]) => void) | undefined;
};

/** A store of secrets that follows their rotation. */
export interface SecretStore<V = Readonly<Record<string, string>>> extends SecretReader<V>, AsyncDisposable {
  /** The `name` that it was opened with, for telemetry. */
  readonly name: string;
  readonly generation: number;
  /** The current generation, for reads that belong together. */
  snapshot(): Snapshot<V>;
  /**
   * Calls `listener` now and after each rotation of `name`; returns a function that stops it. A throw of the first call is
   * the caller's; later ones become an `error` event (`LISTENER_FAILED`).
   */
  watch<K extends keyof V & string>(
    name: K,
    listener: (current: Boxes<V>[K], previous: Boxes<V>[K] | undefined) => void,
  ): () => void;
  /** Subscribes, and returns a function that unsubscribes. Listeners cannot break the store or each other. */
  on<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Subscribes for the next event alone. */
  once<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Unsubscribes a listener, whichever of `on` and `once` subscribed it. */
  off<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
  ): void;
  /**
   * Reads every source now. Resolves once a refresh that began after this call is done, whether or not anything changed;
   * failures are `error` events. `trigger` is the word for it in events, default `refresh`.
   *
   * Rejects with `STORE_CLOSED` after `close()`, and with `OPTION_UNKNOWN` and `OPTION_INVALID`.
   */
  refresh(options?: { readonly trigger?: string | undefined }): Promise<void>;
  /** Per secret and per source: the serving source, the fallbacks passed, version, age, problems. */
  report(): StoreReport;
  /** Works after `close()` too, with the state at that time. */
  health(): StoreHealth;
  /**
   * The text with every current value, and the last 8 before it, replaced by `[secret name]`: as it is, escaped in JSON
   * and in URLs, and inside base64. A line of JSON stays valid: a number becomes a string. Values under 6 characters are
   * masked only after a key that identifies them (`password=abc`), because they occur in ordinary text.
   * @example
   * ```ts
   * const logger = pino({ hooks: { streamWrite: (line) => secrets.redact(line) } });
   * ```
   */
  redact(text: string): string;
  /** Stops watching and closes the sources. Snapshots that were taken keep working. May be called again. */
  close(): Promise<void>;
}

export interface OpenOptions<D extends Definitions = Definitions> {
  /** Names to definitions. Without it, every file under the mount is a text secret under its own name. */
  readonly secrets?: D | undefined;
  /** Listeners that subscribe before anything happens, so that they also hear of problems while the store opens. */
  readonly on?: StoreListeners<keyof D & string> | undefined;
  /**
   * In order of precedence. Default: the mount at `$SECRETS_PATH`, which must be there (else `/mnt/secrets-store`,
   * which may be missing), then the Key Vault at `$AZURE_KEY_VAULT_ENDPOINT`, where that is set, then the environment.
   */
  readonly sources?: readonly Source[] | undefined;
  /** What telemetry and the status page call the store, where there are several. Default: `secrets`. */
  readonly name?: string | undefined;
  /** Bound of one read of a source, in ms. Default: 30 000. */
  readonly refreshTimeoutMs?: number | undefined;
  /** How many days before the expiry of a certificate an `expiring` event announces it. Default: 30, 14, 7, 1. */
  readonly expiryThresholdsDays?: readonly number[] | undefined;
}

export interface SecretReport {
  readonly name: string;
  readonly required: boolean;
  readonly source: string | undefined;
  readonly origin: string | undefined;
  readonly version: string | undefined;
  readonly ageMs: number | undefined;
  /** Sources of higher precedence that do not have it, with what was looked for. */
  readonly passed: readonly { readonly source: string; readonly looked: string }[];
  readonly problem: SecretsErrorCode | undefined;
  /** Problems of the serving value: `CERTIFICATE_EXPIRED`, `CERTIFICATE_HOST_MISMATCH`, … */
  readonly warnings: readonly SecretsErrorCode[];
}

export interface SourceReport {
  readonly source: string;
  readonly location: string;
  readonly status: 'ok' | 'degraded' | 'stale';
  /** Milliseconds since the last read that succeeded. */
  readonly lastRefreshAgeMs: number | undefined;
  /** From this age on it is `stale`; `undefined` for a source that never is, such as the environment. */
  readonly maxStalenessMs: number | undefined;
  /** Worth knowing although nothing failed: a default mount that does not exist. */
  readonly note: string | undefined;
  readonly problems: readonly { readonly code: SecretsErrorCode; readonly message: string }[];
}

export interface StoreReport {
  readonly generation: number;
  readonly secrets: readonly SecretReport[];
  readonly sources: readonly SourceReport[];
}

export interface StoreHealth {
  /** `stale`: a source was not read successfully for longer than its limit. `degraded`: anything else is wrong. */
  readonly status: 'ok' | 'degraded' | 'stale';
  readonly generation: number;
  readonly sources: readonly SourceReport[];
  /** Problems and warnings; a name may occur more than once. */
  readonly secrets: readonly { readonly name: string; readonly problem: SecretsErrorCode }[];
  /** Values that expire, usually certificates, the earliest first. */
  readonly expiries: readonly ExpiryReport[];
}
