import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { kindOf, type Option, readOptions } from '../../internal/options';
import type { Source } from '../source';
import type { IssuedToken } from './token-keeper';
import { assertAlias, type TokenOptions, tokenOptions, tokenSource } from './token-source';

/** A token, with its end as a date or as the time that is left. */
export type FetchedToken = { readonly token: string | Uint8Array } & (
  | { readonly expiresAt: Date; readonly expiresInMs?: undefined }
  | { readonly expiresInMs: number; readonly expiresAt?: undefined }
);

/** Options of `token`. Durations are milliseconds. */
export interface FetchTokenOptions extends TokenOptions {
  /** Requests one token. Stop when `signal` aborts. Messages of its errors are not repeated, because they may contain a value. */
  readonly fetch: (request: { readonly signal: AbortSignal }) => FetchedToken | Promise<FetchedToken>;
}

const USAGE = "token('db-token', { fetch: async ({ signal }) => ({ token, expiresInMs }) })";

/**
 * A source of one token that your function fetches, such as an access token of OAuth. The token is a secret like any other:
 * `secrets.reveal('dbToken')`. The next one is requested after a random part of its lifetime between one half and two thirds;
 * until it arrives, the last one serves to its end. Stores may share the source: then they share the token.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`, `NAME_INVALID`. Errors: `TOKEN_FAILED`, `TOKEN_TIMEOUT`, `TOKEN_INVALID`,
 * `VALUE_EXPIRED`, or the code of a `SecretsError` that `fetch` throws.
 *
 * @example
 * ```ts
 * import { token } from 'hot-secrets/tokens';
 * const secrets = await SecretStore.open({
 *   secrets: { apiToken: 'api-token' },
 *   sources: [
 *     token('api-token', {
 *       async fetch({ signal }) {
 *         const answer = await fetch('https://login.example.com/token', { method: 'POST', signal });
 *         const { access_token, expires_in } = (await answer.json()) as { access_token: string; expires_in: number };
 *         return { token: access_token, expiresInMs: expires_in * 1_000 };
 *       },
 *     }),
 *   ],
 * });
 * ```
 */
export function token(alias: string, options: FetchTokenOptions): Source {
  assertAlias('token', alias, USAGE);
  const { fetch, ...rest } = readOptions('token', options, { ...tokenOptions, fetch: fetching });
  return tokenSource({
    ...rest,
    name: 'token',
    location: '',
    aliases: [alias],
    origin: `fetch of token("${alias}")`,
    issue: async (signal) => issuedOf(alias, await fetch({ signal })),
  });
}

const fetching: Option<FetchTokenOptions['fetch']> = (given, reject) =>
  typeof given === 'function'
    ? (given as FetchTokenOptions['fetch'])
    : reject('a function that returns a token');

/** @throws `TOKEN_INVALID` if the function returned something else than a token with its end. */
function issuedOf(alias: string, fetched: unknown): IssuedToken {
  if (typeof fetched !== 'object' || fetched === null) throw invalid(alias, `returned ${kindOf(fetched)}`);
  const { token: value, expiresAt, expiresInMs } = fetched as Record<keyof FetchedToken, unknown>;
  const isText = typeof value === 'string' && value !== '';
  if (!isText && !(builtin('util').types.isUint8Array(value) && value.length > 0)) {
    const what = `returned ${value === undefined ? 'no `token`' : `${kindOf(value)} as \`token\``}`;
    throw invalid(alias, what);
  }
  const end = endOf(expiresAt, expiresInMs);
  if (end === undefined)
    throw invalid(alias, 'returned neither a valid `expiresAt` nor a valid `expiresInMs`');
  return { values: new Map([[alias, Uint8Array.from(Buffer.from(value as string))]]), expiresAt: end };
}

function endOf(expiresAt: unknown, expiresInMs: unknown): Date | undefined {
  const { isDate } = builtin('util').types;
  if (expiresAt !== undefined && expiresInMs !== undefined) return undefined;
  const time = isDate(expiresAt) ? expiresAt.getTime() : Date.now() + Number(expiresInMs);
  if (!isDate(expiresAt) && !(typeof expiresInMs === 'number' && expiresInMs > 0)) return undefined;
  const end = new Date(time);
  return Number.isNaN(end.getTime()) ? undefined : end;
}

function invalid(alias: string, what: string): SecretsError {
  return new SecretsError('TOKEN_INVALID', `fetch of token("${alias}") ${what}`, {
    secret: alias,
    source: 'token',
    next: 'Return { token, expiresAt } with a Date, or { token, expiresInMs } with the milliseconds that are left.',
  });
}
