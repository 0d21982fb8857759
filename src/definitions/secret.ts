import { rejectUnknownOptions } from '../internal/options';
import { assertNotEmpty, decodeBase64, decodeUtf8, parseJson, withoutNewline } from './decode';
import { type Definition, type DefinitionOptions, defineOne } from './definition';
import { type StandardSchema, validate } from './standard-schema';
import { tls } from './tls/tls';

export interface TextOptions extends DefinitionOptions {
  /** `newline` (default): exactly one trailing `\n` or `\r\n` is dropped. `none`: nothing is. */
  readonly trim?: 'newline' | 'none';
}

export interface BytesOptions extends DefinitionOptions {
  /** How the bytes are stored. Default: `raw`, untouched. */
  readonly encoding?: 'raw' | 'base64' | 'base64url';
}

const COMMON = ['file', 'env', 'vault', 'keepPreviousMs'] as const;

function text(alias: string, options: TextOptions = {}): Definition<string> {
  rejectUnknownOptions(`secret.text("${alias}")`, options, [...COMMON, 'trim']);
  const { trim = 'newline' } = options;
  return defineOne('text', alias, options, (stored) => {
    const value = decodeUtf8(alias, stored);
    const trimmed = trim === 'newline' ? withoutNewline(value) : value;
    assertNotEmpty(alias, trimmed.length);
    return trimmed;
  });
}

function bytes(alias: string, options: BytesOptions = {}): Definition<Uint8Array> {
  rejectUnknownOptions(`secret.bytes("${alias}")`, options, [...COMMON, 'encoding']);
  const { encoding = 'raw' } = options;
  return defineOne('bytes', alias, options, (stored) => {
    assertNotEmpty(alias, stored.length);
    // A copy: what is stored is wiped, and `slice` of a Buffer would share its memory.
    return encoding === 'raw' ? new Uint8Array(stored) : decodeBase64(alias, stored, encoding);
  });
}

function json(alias: string): Definition<unknown>;
function json<Output>(
  alias: string,
  schema: StandardSchema<Output>,
  options?: DefinitionOptions,
): Definition<Output>;
function json(
  alias: string,
  schema?: StandardSchema<unknown>,
  options: DefinitionOptions = {},
): Definition<unknown> {
  rejectUnknownOptions(`secret.json("${alias}")`, options, COMMON);
  return defineOne('json', alias, options, (stored) => {
    const source = decodeUtf8(alias, stored);
    assertNotEmpty(alias, source.trim().length);
    const value = parseJson(alias, source);
    return schema === undefined ? value : validate(alias, schema, value);
  });
}

/**
 * Defines secrets: their names, what their bytes mean, and their types.
 *
 * - `secret.text(alias, { file, env, trim, keepPreviousMs })`: `string`, UTF-8, not empty.
 * - `secret.bytes(alias, { file, env, encoding, keepPreviousMs })`: `Uint8Array`.
 * - `secret.json(alias, schema, { file, env, keepPreviousMs })`: what the schema (any Standard Schema) returns.
 * - `secret.tls({ cert, key, ca }, { passphrase, expired, hostNames, keepPreviousMs })`, `secret.tls(alias, …)` of one
 *   PEM or PFX: a checked pair (`TlsMaterial`); `secret.tls({ ca })`: certificates to trust (`TlsTrust`).
 *
 * Each has `.optional()`, which makes the value `T | undefined`.
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
