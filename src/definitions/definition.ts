import { SecretsError } from '../errors';
import { type Lookup, type LookupOptions, lookup } from '../secret/lookup';

/**
 * What a secret is called, where it is looked for and what its bytes mean. Made by `secret.text`, `secret.bytes`,
 * `secret.json` and `secret.tls`.
 */
export interface Definition<T> extends ValueTraits<T> {
  readonly kind: string;
  /** The values it is made of, all from one source. Text, bytes and JSON have one. */
  readonly lookups: readonly Lookup[];
  readonly required: boolean;
  /** How long `revealWithPrevious` still returns the value before the current one. */
  readonly keepPreviousMs: number;
  /** Turns bytes into the value. Throws a `SecretsError`, which never holds any of the bytes. */
  decode(parts: readonly Uint8Array[]): T | Promise<T>;
  /** The same secret, which may be absent: its value is `T | undefined`. */
  optional(): Definition<T | undefined>;
}

/** What can be told of a value, where there is something to tell. Called with values that `decode` made. */
export interface ValueTraits<T> {
  /** What is wrong with a value that is used all the same. */
  warnings?(value: Exclude<T, undefined>): readonly SecretsError[];
  /** What of it ends, and when. */
  expiries?(value: Exclude<T, undefined>): readonly Expiry[];
  /** What the redactor masks of it. Default: all of it. */
  sensitive?(value: Exclude<T, undefined>): unknown;
}

/** The end of a value, or of a part of it. */
export interface Expiry {
  /** The certificate that the other side is shown, one of its chain, one that is trusted; or a value whose source says so. */
  readonly what: 'leaf' | 'chain' | 'ca' | 'secret';
  /** Whose: the common name of a certificate, else its first host name; the name of a secret. */
  readonly subject: string;
  readonly expiresAt: Date;
}

/** Options that every kind of secret takes. */
export interface DefinitionOptions extends LookupOptions {
  /** Milliseconds for which `revealWithPrevious` still returns the previous value after a rotation. Default: 0. */
  readonly keepPreviousMs?: number;
}

const BRAND = Symbol.for('hot-secrets.definition');

interface Parts<T> extends ValueTraits<T> {
  readonly kind: string;
  readonly lookups: readonly Lookup[];
  readonly keepPreviousMs: number | undefined;
  readonly decode: (parts: readonly Uint8Array[]) => T | Promise<T>;
}

/** Makes a definition. The first lookup names it in errors. */
export function define<T>({ kind, lookups, keepPreviousMs = 0, decode, ...traits }: Parts<T>): Definition<T> {
  if (typeof keepPreviousMs !== 'number' || !(keepPreviousMs >= 0)) {
    const alias = lookups[0]?.name ?? '';
    throw new SecretsError('OPTION_INVALID', `keepPreviousMs of the secret "${alias}" is not a duration`, {
      secret: alias,
      next: 'Give milliseconds, 0 or more.',
    });
  }
  const definition: Definition<T> = {
    ...traits,
    kind,
    lookups,
    required: true,
    keepPreviousMs,
    decode,
    optional: () => brand({ ...definition, required: false }) as unknown as Definition<T | undefined>,
  };
  return brand(definition);
}

/** Makes a definition of one value. */
export function defineOne<T>(
  kind: string,
  alias: string,
  options: DefinitionOptions,
  decode: (bytes: Uint8Array) => T | Promise<T>,
): Definition<T> {
  return define({
    kind,
    lookups: [lookup(alias, options)],
    keepPreviousMs: options.keepPreviousMs,
    decode: ([bytes]) => decode(bytes as Uint8Array),
  });
}

/** A brand check, so that definitions pass between the ESM and CJS copies of the package. */
export function isDefinition(value: unknown): value is Definition<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function brand<T>(definition: Definition<T>): Definition<T> {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}
