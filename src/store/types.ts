import type { Definition, Expiry } from '../definitions/definition';
import type { SecretsError, SecretsErrorCode } from '../errors';
import type { ListenOptions } from '../internal/events';
import type { Secret } from '../secret/secret';
import type { Source } from '../sources/source';

/** The option `secrets`: names to definitions. An alias is shorthand for `secret.text(alias)`. */
export type Definitions = Readonly<Record<string, string | Definition<unknown>>>;

/** The types of the values, by name, from the definitions. */
export type ValuesOf<D extends Definitions> = {
  readonly [K in keyof D]: D[K] extends Definition<infer T> ? T : string;
};

/** A box; for an optional secret, a box or `undefined`. */
export type SecretOf<T> = Secret<Exclude<T, undefined>> | Extract<T, undefined>;

/** The types of `get` and `revealWithPrevious`, by name. Mapped types keep a store assignable to one with fewer names. */
export type Boxes<V> = { readonly [K in keyof V]: SecretOf<V[K]> };
export type Lists<V> = { readonly [K in keyof V]: readonly Exclude<V[K], undefined>[] };

/** The reads that stores and snapshots share. They are synchronous and cost one map lookup. */
export interface SecretReader<V> {
  /**
   * Returns the value. Bytes and objects are shared, not copied: treat them as read-only.
   * @throws `NAME_UNKNOWN` for a name that is neither declared nor found, `STORE_CLOSED` after `close()`.
   */
  reveal<K extends keyof V & string>(name: K): V[K];
  /** Returns the current value, then previous values for `keepPreviousMs` after their rotation. */
  revealWithPrevious<K extends keyof V & string>(name: K): Lists<V>[K];
  /** Returns the box, with name, version, source and `loadedAt`. */
  get<K extends keyof V & string>(name: K): Boxes<V>[K];
  /** Returns when `revealWithPrevious` drops the next previous value; `undefined` if it returns only the current one. */
  graceEndsAt<K extends keyof V & string>(name: K): Date | undefined;
  /** Returns true if the name has a value. */
  has(name: keyof V & string): boolean;
  /** Returns the names that have a value. If nothing is declared, these are the names that sources list. */
  names<N extends keyof V & string = keyof V & string>(): readonly N[];
}

/** All values of one generation: the values of each source existed there together. A snapshot never changes. */
export interface Snapshot<V = Readonly<Record<string, string>>> extends SecretReader<V> {
  readonly generation: number;
  readonly takenAt: Date;
}

/** What happened to one secret in a new generation. */
export interface SecretChange<Name extends string = string> {
  readonly name: Name;
  /**
   * `added`: the name had no value before. `rotated`: it had another value. `removed`: its source no longer has it; only
   * discovered secrets that were never read are removed.
   */
  readonly kind: 'added' | 'rotated' | 'removed';
  readonly source: string;
  /** `undefined` if the secret was removed. */
  readonly version: string | undefined;
  readonly previousVersion: string | undefined;
}

/** A new generation. It is emitted once, after all its values are in use. */
export interface ChangeEvent<Name extends string = string> {
  readonly generation: number;
  /** The trigger of the refresh: `watch`, `poll`, `refresh`, `auth-failure`, … */
  readonly trigger: string;
  readonly changes: readonly SecretChange<Name>[];
}

/** A value that expires, usually a certificate, with its remaining time. */
export interface ExpiryReport extends Omit<Expiry, 'validFrom'> {
  readonly name: string;
  /** Days as a fraction; negative once the value has expired. */
  readonly daysLeft: number;
}

export interface ExpiringEvent extends ExpiryReport {
  /** The threshold that was passed, in days. */
  readonly thresholdDays: number;
}

/** The events of a store. */
export interface StoreEvents<Name extends string = string> {
  /** Once per generation, after the new snapshot is in place. */
  change: ChangeEvent<Name>;
  /**
   * A problem of a secret or source: once per cause, not once per retry. The last good values stay in use. Includes problems
   * of resources that follow the store: `error.resource` names the pool, server or agent. Without a listener, the error is a
   * process warning.
   */
  error: SecretsError;
  /** The cause of an earlier `error` is gone. */
  recovered: SecretsError;
  /** A value expires soon: once per value and threshold. Without a listener, this is a process warning. */
  expiring: ExpiringEvent;
  /** `close()` was called. This is the last event. */
  close: { readonly generation: number };
}

/** Listeners by event, for `open({ on })`. */
export type StoreListeners<Name extends string = string> = {
  readonly [E in keyof StoreEvents]?: ((payload: StoreEvents<Name>[E]) => void) | undefined;
};

/** A store of secrets that follows their rotation. */
export interface SecretStore<V = Readonly<Record<string, string>>> extends SecretReader<V>, AsyncDisposable {
  /** The option `name`, for telemetry. */
  readonly name: string;
  readonly generation: number;
  /** Returns the current snapshot, for reads that belong together. */
  snapshot(): Snapshot<V>;
  /**
   * Calls `listener` now and after each rotation of `name`. Returns a function that stops it. If the first call throws, `watch`
   * throws the same error; later errors become `error` events (`LISTENER_FAILED`).
   */
  watch<K extends keyof V & string>(
    name: K,
    listener: (current: Boxes<V>[K], previous: Boxes<V>[K] | undefined) => void,
  ): () => void;
  /** Subscribes a listener. Returns a function that unsubscribes it. Errors of a listener affect neither the store nor others. */
  on<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Subscribes a listener for the next event only. */
  once<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
    options?: ListenOptions,
  ): () => void;
  /** Unsubscribes a listener of `on` or `once`. */
  off<E extends keyof StoreEvents, N extends keyof V & string = keyof V & string>(
    event: E,
    listener: (payload: StoreEvents<N>[E]) => void,
  ): void;
  /**
   * Reads every source now. Resolves when a refresh that started after this call ends, even if nothing changed. Failures are
   * `error` events. `trigger` appears in events; default `refresh`.
   *
   * Rejects with `STORE_CLOSED` after `close()`, and with `OPTION_UNKNOWN` and `OPTION_INVALID`.
   */
  refresh(options?: {
    /** The cause of the refresh, for events and telemetry. Default: `refresh`. */
    readonly trigger?: string | undefined;
  }): Promise<void>;
  /** Returns the state of each secret and source: the serving source, the sources skipped, version, age, problems. */
  report(): StoreReport;
  /** Returns the health of the store. After `close()`, returns the state at that time. */
  health(): StoreHealth;
  /**
   * Replaces every current value, and the last 8 values before it, with `[secret name]`. Finds values in plain text, escaped in
   * JSON or URLs, and inside base64. A line of JSON stays valid: a number becomes a string. Values under 6 characters occur in
   * ordinary text, so they are masked only after a key that identifies them (`password=abc`).
   * @example
   * ```ts
   * const logger = pino({ hooks: { streamWrite: (line) => secrets.redact(line) } });
   * ```
   */
  redact(text: string): string;
  /** Stops watching and closes the sources. Snapshots taken before keep working. Repeated calls return the same promise. */
  close(): Promise<void>;
}

/** Options of `SecretStore.open`. */
export interface OpenOptions<D extends Definitions = Definitions> {
  /** Names to definitions. Default: every name that a source lists is a text secret under its own name. */
  readonly secrets?: D | undefined;
  /** Listeners to subscribe before the store opens, so that they also receive problems found while it opens. */
  readonly on?: StoreListeners<keyof D & string> | undefined;
  /**
   * Sources in order of precedence. Default: the mount at `$SECRETS_PATH`, which must exist, or else those of
   * `$SERVICE_BINDING_ROOT`, `$CREDENTIALS_DIRECTORY`, `/mnt/secrets-store` and `/run/secrets`, each of which may be missing;
   * then the Key Vault at `$AZURE_KEY_VAULT_ENDPOINT` if that is set, and the environment.
   */
  readonly sources?: readonly Source[] | undefined;
  /** The name of the store in telemetry and on the status page. Default: `secrets`. */
  readonly name?: string | undefined;
  /** Time limit of one read of a source, in milliseconds. Default: 30 000. */
  readonly refreshTimeoutMs?: number | undefined;
  /**
   * Days before the expiry of a value at which `expiring` events announce it; `[]` for never. Default: 30, 14, 7, 1. Values
   * with a lifetime of 90 days or less are announced when three tenths, then one tenth of it are left. A definition may set
   * thresholds of its own.
   */
  readonly expiryThresholdsDays?: readonly number[] | undefined;
}

/** One secret in a report. */
export interface SecretReport {
  readonly name: string;
  readonly required: boolean;
  readonly source: string | undefined;
  readonly origin: string | undefined;
  readonly version: string | undefined;
  readonly ageMs: number | undefined;
  /** Sources of higher precedence that do not have the secret, and the name that each was searched for. */
  readonly passed: readonly { readonly source: string; readonly looked: string }[];
  readonly problem: SecretsErrorCode | undefined;
  /** Problems of the current value: `CERTIFICATE_EXPIRED`, `CERTIFICATE_HOST_MISMATCH`, … */
  readonly warnings: readonly SecretsErrorCode[];
}

/** One source in a report. */
export interface SourceReport {
  readonly source: string;
  readonly location: string;
  readonly status: 'ok' | 'degraded' | 'stale';
  /** Milliseconds since the last successful read. */
  readonly lastRefreshAgeMs: number | undefined;
  /** The age in milliseconds above which the source is `stale`; `undefined` if it never is, such as the environment. */
  readonly maxStalenessMs: number | undefined;
  /** A remark that is not a problem, for example that the default mount does not exist. */
  readonly note: string | undefined;
  readonly problems: readonly { readonly code: SecretsErrorCode; readonly message: string }[];
}

/** Which source serves each secret, and what is wrong. */
export interface StoreReport {
  readonly generation: number;
  readonly secrets: readonly SecretReport[];
  readonly sources: readonly SourceReport[];
}

/** The state of a store. */
export interface StoreHealth {
  /** `stale`: the last successful read of a source is older than its limit. `degraded`: there is another problem. */
  readonly status: 'ok' | 'degraded' | 'stale';
  readonly generation: number;
  readonly sources: readonly SourceReport[];
  /** Problems and warnings. A name may occur more than once. */
  readonly secrets: readonly { readonly name: string; readonly problem: SecretsErrorCode }[];
  /** Values that expire, usually certificates, earliest first. */
  readonly expiries: readonly ExpiryReport[];
}
