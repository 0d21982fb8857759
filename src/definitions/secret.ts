import { flag, type Option, oneOf, passed, readOptions } from '../internal/options';
import { type Lookup, lookup } from '../secret/lookup';
import { assertText, suspectText, type Trim, trimmed } from './characters';
import { assertNotEmpty, assertParsedOnce, decodeBase64, decodeUtf8, parseJson } from './decode';
import { type Definition, type DefinitionOptions, define, definitionOptions, whereOf } from './definition';
import { assertResolved } from './references';
import { assertSchema, type DeepReadonly, type StandardSchema, validate } from './standard-schema';
import { key } from './tls/key';
import { tls } from './tls/tls';

export interface TextOptions extends DefinitionOptions {
  /**
   * `newline` (default) removes a byte order mark and one trailing newline: `\n`, `\r\n` or `\r`. `whitespace` removes all white
   * space and invisible characters at both ends. `none` removes nothing, and reports no `VALUE_SUSPECT`.
   */
  readonly trim?: Trim | undefined;
  /** False if the value is not secret, such as a user name: `redact` leaves it readable. Default: true. */
  readonly redact?: boolean | undefined;
  /** The encoding of the stored text. Default: `raw`, plain UTF-8. */
  readonly encoding?: 'raw' | 'base64' | 'base64url' | undefined;
}

/** Options of a text that a schema checks. */
export interface CheckedTextOptions<Output> extends TextOptions {
  /** Any Standard Schema of a string: zod, valibot, arktype and others. The value is its output. */
  readonly schema: StandardSchema<Output>;
}

export interface JsonOptions extends DefinitionOptions {
  /**
   * What `redact` masks: the whole value (default), or the parts under these keys, at any depth: `['password']`. A value
   * without any of the keys is masked as a whole. False for nothing.
   */
  readonly redact?: boolean | readonly string[] | undefined;
  /** The encoding of the stored text. Default: `raw`, plain UTF-8. */
  readonly encoding?: 'raw' | 'base64' | 'base64url' | undefined;
}

export interface BytesOptions extends DefinitionOptions {
  /** False if the value is not secret, such as a user name: `redact` leaves it readable. Default: true. */
  readonly redact?: boolean | undefined;
  /** The encoding of the stored bytes. Default: `raw`, which returns them unchanged. */
  readonly encoding?: 'raw' | 'base64' | 'base64url' | undefined;
}

// True, false, or a list of keys.
const redactKeys: Option<boolean | readonly string[]> = (given = true, reject) => {
  const isList = Array.isArray(given) && given.length > 0 && given.every((key) => typeof key === 'string');
  return typeof given === 'boolean' || isList
    ? (given as boolean | readonly string[])
    : reject("true, false, or a list of keys such as ['password']");
};

const encodings = oneOf('raw', 'base64', 'base64url');
const jsonOptions = { ...definitionOptions, encoding: encodings, redact: redactKeys };
const bytesOptions = { ...definitionOptions, encoding: encodings, redact: flag(true) };
const textOptions = {
  ...bytesOptions,
  trim: oneOf<Trim>('newline', 'whitespace', 'none'),
  schema: passed<StandardSchema<unknown>>(),
};

interface Stored {
  readonly kind: string;
  readonly place: Lookup;
  readonly encoding: 'raw' | 'base64' | 'base64url';
  readonly unresolved: 'refuse' | 'accept';
}

/** Returns the bytes of a stored value. A reference may be encoded too: Kubernetes encodes what it stores. */
function bytesFrom(stored: Uint8Array, { kind, place, encoding, unresolved }: Stored): Uint8Array {
  if (encoding === 'raw') return stored;
  const decoded = decodeBase64(place.name, stored, encoding);
  if (unresolved === 'refuse') assertResolved(kind, place, decoded);
  return decoded;
}

function text(alias: string, options?: TextOptions & { readonly schema?: undefined }): Definition<string>;
function text<Output>(alias: string, options: CheckedTextOptions<Output>): Definition<DeepReadonly<Output>>;
function text(
  alias: string,
  options?: TextOptions & { readonly schema?: StandardSchema<unknown> | undefined },
): Definition<unknown> {
  const { trim, encoding, schema, redact, keepPreviousMs, expiryThresholdsDays, unresolved } = readOptions(
    whereOf('text', alias),
    options,
    textOptions,
  );
  if (schema !== undefined) assertSchema(whereOf('text', alias), schema);
  const place = lookup(alias, options);
  return define<unknown>({
    kind: 'text',
    lookups: [place],
    keepPreviousMs,
    expiryThresholdsDays,
    unresolved,
    sensitive: sensitiveParts(redact),
    decode([stored], tell) {
      const decoded = bytesFrom(stored as Uint8Array, { kind: 'text', place, encoding, unresolved });
      const value = trimmed(decodeUtf8(alias, decoded), trim);
      assertNotEmpty(alias, value.length);
      assertText(alias, value);
      const suspect = trim === 'none' ? undefined : suspectText(alias, value);
      if (suspect !== undefined) tell?.(suspect);
      return schema === undefined ? value : validate(alias, schema, value);
    },
  });
}

function bytes(alias: string, options?: BytesOptions): Definition<Uint8Array> {
  const { encoding, redact, keepPreviousMs, expiryThresholdsDays, unresolved } = readOptions(
    whereOf('bytes', alias),
    options,
    bytesOptions,
  );
  const place = lookup(alias, options);
  return define({
    kind: 'bytes',
    lookups: [place],
    keepPreviousMs,
    expiryThresholdsDays,
    unresolved,
    sensitive: sensitiveParts(redact),
    decode([given]) {
      const stored = given as Uint8Array;
      assertNotEmpty(alias, stored.length);
      // Copy: the store wipes these bytes, and `slice` of a Buffer would share their memory.
      if (encoding === 'raw') return new Uint8Array(stored);
      return bytesFrom(stored, { kind: 'bytes', place, encoding, unresolved });
    },
  });
}

function json(alias: string, schema?: undefined, options?: JsonOptions): Definition<unknown>;
function json<Output>(
  alias: string,
  schema: StandardSchema<Output>,
  options?: JsonOptions,
): Definition<DeepReadonly<Output>>;
function json(alias: string, schema?: StandardSchema<unknown>, options?: JsonOptions): Definition<unknown> {
  const where = whereOf('json', alias);
  if (schema !== undefined) assertSchema(where, schema);
  const { encoding, redact, keepPreviousMs, expiryThresholdsDays, unresolved } = readOptions(
    where,
    options,
    jsonOptions,
  );
  const place = lookup(alias, options);
  return define({
    kind: 'json',
    lookups: [place],
    keepPreviousMs,
    expiryThresholdsDays,
    unresolved,
    sensitive: sensitiveParts(redact),
    decode([stored]) {
      const decoded = bytesFrom(stored as Uint8Array, { kind: 'json', place, encoding, unresolved });
      const source = trimmed(decodeUtf8(alias, decoded), 'newline');
      assertNotEmpty(alias, source.trim().length);
      const value = parseJson(alias, source);
      if (schema !== undefined) return validate(alias, schema, value, () => assertParsedOnce(alias, value));
      assertParsedOnce(alias, value);
      return value;
    },
  });
}

/** Returns the function that selects what `redact` masks. */
function sensitiveParts(redact: boolean | readonly string[]): (value: unknown) => unknown {
  if (typeof redact === 'boolean') return (value) => (redact ? value : []);
  return (value) => {
    const parts = partsUnder(new Set(redact), value);
    // A misspelt key must not let the whole value through.
    return parts.length === 0 ? value : parts;
  };
}

function partsUnder(keys: ReadonlySet<string>, value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries.flatMap(([key, part]) => (keys.has(String(key)) ? [part] : partsUnder(keys, part)));
}

/**
 * Defines secrets: their names, encodings and types.
 *
 * - `secret.text(alias, { file, env, trim, encoding, schema, redact, keepPreviousMs })`: `string`, UTF-8, not empty; or the
 *   output of the schema.
 * - `secret.bytes(alias, { file, env, encoding, redact, keepPreviousMs })`: `Uint8Array`.
 * - `secret.json(alias, schema, { file, env, encoding, redact, keepPreviousMs })`: the output of the schema (any Standard
 *   Schema).
 * - `secret.key(alias, { file, env, passphrase, keepPreviousMs })`: a checked private key without a certificate
 *   (`KeyMaterial`), for JWTs, GitHub Apps and the like.
 * - `secret.tls({ cert, key, ca }, { passphrase, expired, hostNames, keepPreviousMs })`, or `secret.tls(alias, …)` for one
 *   PEM or PFX: a checked pair (`TlsMaterial`). `secret.tls({ ca })`: certificates to trust (`TlsTrust`).
 *
 * `.optional()` makes the value `T | undefined`.
 *
 * @throws `NAME_INVALID`, `FILE_OUTSIDE_MOUNT`, `OPTION_UNKNOWN`, `OPTION_INVALID`.
 * @example
 * ```ts
 * const secrets = await SecretStore.open({
 *   secrets: {
 *     dbPassword: secret.text('database-password'),
 *     signingKey: secret.bytes('signing-key', { encoding: 'base64', keepPreviousMs: 600_000 }),
 *     web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
 *   },
 * });
 * ```
 */
export const secret = { text, bytes, json, key, tls } as const;
