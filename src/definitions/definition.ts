import { SecretsError } from '../errors';
import { type Lookup, type LookupOptions, lookup } from '../secret/lookup';

/**
 * What a secret is called, where it is looked for and what its bytes mean. Made by `secret.text`, `secret.bytes`
 * and `secret.json`.
 */
export interface Definition<T> {
  readonly kind: string;
  /** The values it is made of, all from one source. Text, bytes and JSON have one. */
  readonly lookups: readonly Lookup[];
  readonly required: boolean;
  /** How long `revealAll` still returns the value before the current one. */
  readonly keepPreviousMs: number;
  /** Turns bytes into the value. Throws a `SecretsError`, which never holds any of the bytes. */
  decode(parts: readonly Uint8Array[]): T | Promise<T>;
  /** The same secret, which may be absent: its value is `T | undefined`. */
  optional(): Definition<T | undefined>;
}

/** Options that every kind of secret takes. */
export interface DefinitionOptions extends LookupOptions {
  /** Milliseconds for which `revealAll` still returns the previous value after a rotation. Default: 0. */
  readonly keepPreviousMs?: number;
}

const BRAND = Symbol.for('hot-secrets.definition');

interface Parts<T> {
  readonly kind: string;
  readonly alias: string;
  readonly options: DefinitionOptions;
  readonly decode: (bytes: Uint8Array) => T | Promise<T>;
}

/** Makes a definition of one value. */
export function define<T>({ kind, alias, options, decode }: Parts<T>): Definition<T> {
  const { keepPreviousMs = 0 } = options;
  if (typeof keepPreviousMs !== 'number' || !(keepPreviousMs >= 0)) {
    throw new SecretsError('OPTION_INVALID', `keepPreviousMs of the secret "${alias}" is not a duration`, {
      secret: alias,
      next: 'Give milliseconds, 0 or more.',
    });
  }
  const definition: Definition<T> = {
    kind,
    lookups: [lookup(alias, options)],
    required: true,
    keepPreviousMs,
    decode: ([bytes]) => decode(bytes as Uint8Array),
    optional: () => brand({ ...definition, required: false }),
  };
  return brand(definition);
}

/** A brand check, so that definitions pass between the ESM and CJS copies of the package. */
export function isDefinition(value: unknown): value is Definition<unknown> {
  return typeof value === 'object' && value !== null && BRAND in value;
}

function brand<T>(definition: Definition<T>): Definition<T> {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}
