import { oneOf, readOptions } from '../internal/options';
import { lookup } from '../secret/lookup';
import { assertNotEmpty, decodeBase64, decodeUtf8, parseJson, withoutNewline } from './decode';
import { type Definition, type DefinitionOptions, define, definitionOptions, whereOf } from './definition';
import { assertSchema, type DeepReadonly, type StandardSchema, validate } from './standard-schema';
import { tls } from './tls/tls';

export interface TextOptions extends DefinitionOptions {
  /** `newline` (default) removes one trailing `\n` or `\r\n`. `none` removes nothing. */
  readonly trim?: 'newline' | 'none' | undefined;
}

export interface BytesOptions extends DefinitionOptions {
  /** The encoding of the stored bytes. Default: `raw`, which returns them unchanged. */
  readonly encoding?: 'raw' | 'base64' | 'base64url' | undefined;
}

const textOptions = { ...definitionOptions, trim: oneOf('newline', 'none') };
const bytesOptions = { ...definitionOptions, encoding: oneOf('raw', 'base64', 'base64url') };

function text(alias: string, options?: TextOptions): Definition<string> {
  const { trim, keepPreviousMs, expiryThresholdsDays } = readOptions(
    whereOf('text', alias),
    options,
    textOptions,
  );
  return define({
    kind: 'text',
    lookups: [lookup(alias, options)],
    keepPreviousMs,
    expiryThresholdsDays,
    decode([stored]) {
      const value = decodeUtf8(alias, stored as Uint8Array);
      const trimmed = trim === 'newline' ? withoutNewline(value) : value;
      assertNotEmpty(alias, trimmed.length);
      return trimmed;
    },
  });
}

function bytes(alias: string, options?: BytesOptions): Definition<Uint8Array> {
  const { encoding, keepPreviousMs, expiryThresholdsDays } = readOptions(
    whereOf('bytes', alias),
    options,
    bytesOptions,
  );
  return define({
    kind: 'bytes',
    lookups: [lookup(alias, options)],
    keepPreviousMs,
    expiryThresholdsDays,
    decode([given]) {
      const stored = given as Uint8Array;
      assertNotEmpty(alias, stored.length);
      // Copy: the store wipes these bytes, and `slice` of a Buffer would share their memory.
      return encoding === 'raw' ? new Uint8Array(stored) : decodeBase64(alias, stored, encoding);
    },
  });
}

function json(alias: string, schema?: undefined, options?: DefinitionOptions): Definition<unknown>;
function json<Output>(
  alias: string,
  schema: StandardSchema<Output>,
  options?: DefinitionOptions,
): Definition<DeepReadonly<Output>>;
function json(
  alias: string,
  schema?: StandardSchema<unknown>,
  options?: DefinitionOptions,
): Definition<unknown> {
  const where = whereOf('json', alias);
  if (schema !== undefined) assertSchema(where, schema);
  const { keepPreviousMs, expiryThresholdsDays } = readOptions(where, options, definitionOptions);
  return define({
    kind: 'json',
    lookups: [lookup(alias, options)],
    keepPreviousMs,
    expiryThresholdsDays,
    decode([stored]) {
      const source = decodeUtf8(alias, stored as Uint8Array);
      assertNotEmpty(alias, source.trim().length);
      const value = parseJson(alias, source);
      return schema === undefined ? value : validate(alias, schema, value);
    },
  });
}

/**
 * Defines secrets: their names, encodings and types.
 *
 * - `secret.text(alias, { file, env, trim, keepPreviousMs })`: `string`, UTF-8, not empty.
 * - `secret.bytes(alias, { file, env, encoding, keepPreviousMs })`: `Uint8Array`.
 * - `secret.json(alias, schema, { file, env, keepPreviousMs })`: the output of the schema (any Standard Schema).
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
export const secret = { text, bytes, json, tls } as const;
