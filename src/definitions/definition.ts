import { SecretsError } from '../errors';
import { kindOf, ms, type Option, text } from '../internal/options';
import type { Lookup, LookupOptions } from '../secret/lookup';

/**
 * The names of a secret, its places in the sources, and the meaning of its bytes. Made by `secret.text`, `secret.bytes`,
 * `secret.json` and `secret.tls`.
 */
export interface Definition<T> extends ValueTraits<T> {
  readonly kind: string;
  /** The stored values that it consists of, all from one source. Text, bytes and JSON have one. */
  readonly lookups: readonly Lookup[];
  readonly required: boolean;
  /** How long `revealWithPrevious` still returns the value before the current one. */
  readonly keepPreviousMs: number;
  /** Turns bytes into the value. Throws a `SecretsError` that contains none of the bytes. */
  decode(parts: readonly Uint8Array[]): T | Promise<T>;
  /** The same secret, but it may be absent: its value is `T | undefined`. */
  optional(): Definition<T | undefined>;
}

/** What a definition can tell about a value. Called with values that `decode` made. */
export interface ValueTraits<T> {
  /** Problems of a value that is used nevertheless. */
  warnings?(value: Exclude<T, undefined>): readonly SecretsError[];
  /** The parts of the value that expire. The dates are new ones at each call. */
  expiries?(value: Exclude<T, undefined>): readonly Expiry[];
  /** The parts of the value that `redact` masks. Default: all of it. */
  sensitive?(value: Exclude<T, undefined>): unknown;
}

/** When a value, or a part of it, expires. */
export interface Expiry {
  /** The certificate that peers see, one of its chain, a trusted one; or a value whose source knows its expiry. */
  readonly what: 'leaf' | 'chain' | 'ca' | 'secret';
  /** The common name of the certificate, else its first host name; or the name of the secret. */
  readonly subject: string;
  readonly expiresAt: Date;
}

/** Options that every kind of secret takes. */
export interface DefinitionOptions extends LookupOptions {
  /** Milliseconds for which `revealWithPrevious` still returns the previous value after a rotation. Default: 0. */
  readonly keepPreviousMs?: number | undefined;
}

const BRAND = Symbol.for('hot-secrets.definition');

// One name or several, as `lookup` takes them.
const variables: Option<string | readonly string[] | undefined> = (given, reject) => {
  if (given === undefined || typeof given === 'string') return given;
  return Array.isArray(given) && given.every((one) => typeof one === 'string')
    ? given
    : reject('the name of a variable, or a list of names');
};

/** Declares the options of `LookupOptions`. */
export const lookupOptions = { file: text(), env: variables, vault: text() };
/** Declares the options of `DefinitionOptions`. */
export const definitionOptions = { ...lookupOptions, keepPreviousMs: ms(0) };

/**
 * Names the function that defines `alias`, for messages.
 * @throws `NAME_INVALID` when the alias is not a string.
 */
export function whereOf(kind: string, alias: unknown): string {
  if (typeof alias === 'string') return `secret.${kind}("${alias}")`;
  throw new SecretsError('NAME_INVALID', `secret.${kind} needs the name of a secret, not ${kindOf(alias)}`, {
    next: `Call secret.${kind}('the-name'), with the name that the secret has in its source.`,
  });
}

/** Makes a definition. The first lookup names it in errors. */
export function define<T>(parts: Omit<Definition<T>, 'required' | 'optional'>): Definition<T> {
  const definition: Definition<T> = {
    ...parts,
    required: true,
    optional: () => brand({ ...definition, required: false }) as unknown as Definition<T | undefined>,
  };
  return brand(definition);
}

/** Checks a brand, so that the ESM and CJS copies of the package accept each other's definitions. */
export function isDefinition(value: unknown): value is Definition<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function brand<T>(definition: Definition<T>): Definition<T> {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}
