import { SecretsError } from '../errors';
import { kindOf, ms, type Option, oneOf, text } from '../internal/options';
import type { Lookup, LookupOptions } from '../secret/lookup';
import { assertResolved } from './references';

/**
 * Declares a secret: its names in the sources, and how to decode its bytes. `secret.text`, `secret.bytes`, `secret.json` and
 * `secret.tls` make definitions.
 */
export interface Definition<T> extends ValueTraits<T> {
  readonly kind: string;
  /** The stored values of the secret, which must come from one source. Text, bytes and JSON have one. */
  readonly lookups: readonly Lookup[];
  readonly required: boolean;
  /** Lookups that other definitions may share, such as the authorities of several pairs. */
  readonly shareable?: readonly Lookup[] | undefined;
  /** Lookups that a source may lack: `decode` then gets no bytes for them. Once they had a value, it must stay. */
  readonly optionalParts?: readonly Lookup[] | undefined;
  /** True if a blank value means that there is none. It counts for optional definitions. */
  readonly blankIsAbsent?: boolean | undefined;
  /** How long `revealWithPrevious` returns the previous value after a rotation, in milliseconds. */
  readonly keepPreviousMs: number;
  /** Days before expiry at which `expiring` events announce it. Default: the thresholds of the store. */
  readonly expiryThresholdsDays?: readonly number[] | undefined;
  /** `accept` takes a value that is a reference, such as `${DB_PASSWORD}`. Default: `refuse`. */
  readonly unresolved?: 'refuse' | 'accept' | undefined;
  /**
   * Decodes the value. Throws a `SecretsError` that contains none of the bytes. Calls `tell` with problems of stored bytes that
   * are used nevertheless.
   */
  decode(parts: readonly Uint8Array[], tell?: (problem: SecretsError) => void): T | Promise<T>;
  /** Returns the same definition for a secret that may be absent: its value is `T | undefined`. */
  optional(): Definition<T | undefined>;
}

/** Functions that describe a value that `decode` returned. */
export interface ValueTraits<T> {
  /** Returns problems of a value that is still used. */
  warnings?(value: Exclude<T, undefined>): readonly SecretsError[];
  /** Returns the parts of the value that expire, with new `Date` objects on each call. */
  expiries?(value: Exclude<T, undefined>): readonly Expiry[];
  /** Returns true if a value that is stored differently means the same: then it is not a rotation. */
  isSame?(value: Exclude<T, undefined>, other: Exclude<T, undefined>): boolean;
  /** Returns the parts of the value that `redact` masks. Default: all parts. */
  sensitive?(value: Exclude<T, undefined>): unknown;
}

/** The expiry of a value or of one of its parts. */
export interface Expiry {
  /** `leaf`: the certificate that peers see. `chain`: an issuer. `ca`: a trusted certificate. `secret`: another value. */
  readonly what: 'leaf' | 'chain' | 'ca' | 'secret';
  /** The common name of the certificate, or its first host name; for `secret`, the name of the secret. */
  readonly subject: string;
  readonly expiresAt: Date;
  /** The start of its lifetime, if it is known. */
  readonly validFrom?: Date | undefined;
}

/** Options that every kind of secret takes. */
export interface DefinitionOptions extends LookupOptions {
  /** How long `revealWithPrevious` returns the previous value after a rotation, in milliseconds. Default: 0. */
  readonly keepPreviousMs?: number | undefined;
  /** Days before expiry at which `expiring` events announce it; `[]` for never. Default: the thresholds of the store. */
  readonly expiryThresholdsDays?: readonly number[] | undefined;
  /**
   * What to do with a value that is a reference which nothing resolved, such as `@Microsoft.KeyVault(…)` or `${DB_PASSWORD}`:
   * `refuse` (default) with `VALUE_UNRESOLVED`, or `accept` it as the secret itself.
   */
  readonly unresolved?: 'refuse' | 'accept' | undefined;
}

const BRAND = Symbol.for('hot-secrets.definition');

// One name or a list of names.
const variables: Option<string | readonly string[] | undefined> = (given, reject) => {
  if (given === undefined || typeof given === 'string') return given;
  return Array.isArray(given) && given.every((one) => typeof one === 'string')
    ? given
    : reject('the name of a variable, or a list of names');
};

/** A list of days, fractions included. */
export const daysList: Option<readonly number[] | undefined> = (given, reject) => {
  if (given === undefined) return given;
  const valid = Array.isArray(given) && given.every((one) => typeof one === 'number' && one >= 0);
  return valid ? given : reject('a list of days, 0 or more', kindOf(given));
};

/** Declares the options of `LookupOptions`. */
export const lookupOptions = { file: text(), env: variables, vault: text() };
/** Declares the options of `DefinitionOptions`. */
export const definitionOptions = {
  ...lookupOptions,
  keepPreviousMs: ms(0),
  expiryThresholdsDays: daysList,
  unresolved: oneOf('refuse', 'accept'),
};

/**
 * Returns the name of the call that defines `alias`, for messages.
 * @throws `NAME_INVALID` if the alias is not a string.
 */
export function whereOf(kind: string, alias: unknown): string {
  if (typeof alias === 'string') return `secret.${kind}("${alias}")`;
  throw new SecretsError(
    'NAME_INVALID',
    `the alias of secret.${kind} must be a string, not ${kindOf(alias)}`,
    {
      next: `Call secret.${kind}('the-name') with the name of the secret in its source.`,
    },
  );
}

/** Makes a definition. It refuses values that are references, before it decodes them. */
export function define<T>(parts: Omit<Definition<T>, 'required' | 'optional'>): Definition<T> {
  const { kind, lookups, unresolved, decode } = parts;
  const definition: Definition<T> = {
    ...parts,
    required: true,
    decode(stored, tell) {
      if (unresolved !== 'accept') {
        for (const [index, part] of stored.entries()) assertResolved(kind, lookups[index] as Lookup, part);
      }
      return decode(stored, tell);
    },
    optional: () => brand({ ...definition, required: false }) as unknown as Definition<T | undefined>,
  };
  return brand(definition);
}

/** Returns true for a definition, even one of another copy of the package. */
export function isDefinition(value: unknown): value is Definition<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function brand<T>(definition: Definition<T>): Definition<T> {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}
