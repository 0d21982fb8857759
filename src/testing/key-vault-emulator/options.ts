import { SecretsError } from '../../errors';
import { count, ms, type Option, passed, readOptions, text } from '../../internal/options';
import type { ModuleWith } from '../../internal/peer';
import type { EmulatorForge } from './certificates';

/** Options of `createKeyVaultEmulator`. */
export interface KeyVaultEmulatorOptions {
  /** Names and first values. Default: none. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** The name of the vault, which makes its URL: `https://NAME.vault.azure.net`. Default: `emulator`. */
  readonly name?: string | undefined;
  /** The tenant that issues the tokens. Default: a fixed GUID. */
  readonly tenantId?: string | undefined;
  /** The application that may sign in. Default: a fixed GUID. */
  readonly clientId?: string | undefined;
  /** Lets the application sign in with a client secret too. Default: only with federated tokens. */
  readonly clientSecret?: string | undefined;
  /** The number of secrets on a page of a list, 1 to 25. Default: 25, as in the service. */
  readonly pageSize?: number | undefined;
  /** The number of empty pages after each page with a `nextLink`: the service sends such pages. Default: 1. */
  readonly emptyPages?: number | undefined;
  /** How long an access token is valid, in milliseconds, rounded down to seconds. Default: 3 600 000. */
  readonly tokenLifetimeMs?: number | undefined;
  /** Answers more requests than this in ten seconds with 429. Default: no limit. */
  readonly rateLimit?: { readonly perTenSeconds: number } | undefined;
  /** The `jose` package to use instead of the installed one: `import * as jose from 'jose'`. */
  readonly jose?: ModuleWith<(typeof JOSE_USES)[number]> | undefined;
  /** The `node-forge` package to use instead of the installed one. */
  readonly nodeForge?: EmulatorForge | undefined;
}

export const JOSE_USES = [
  'SignJWT',
  'decodeJwt',
  'decodeProtectedHeader',
  'errors',
  'exportJWK',
  'generateKeyPair',
  'jwtVerify',
] as const;

const WHERE = 'createKeyVaultEmulator';
const MAX_PAGE_SIZE = 25;

/** Reads the options with their defaults. @throws `OPTION_UNKNOWN`, `OPTION_INVALID` */
export function readEmulatorOptions(options: KeyVaultEmulatorOptions | undefined) {
  return readOptions(WHERE, options, {
    secrets,
    name: vaultName,
    tenantId: text('00000000-0000-4000-8000-000000000001'),
    clientId: text('00000000-0000-4000-8000-000000000002'),
    clientSecret: text(),
    pageSize: count(MAX_PAGE_SIZE, { least: 1, most: MAX_PAGE_SIZE }),
    emptyPages: count(1),
    tokenLifetimeMs: ms(3_600_000, { least: 1_000 }),
    rateLimit,
    jose: passed<object>(),
    nodeForge: passed<EmulatorForge>(),
  });
}

const secrets: Option<Readonly<Record<string, string>>> = (given = {}, reject) => {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return reject('an object of names and values');
  }
  return given as Readonly<Record<string, string>>;
};

const vaultName: Option<string> = (given = 'emulator') => {
  if (typeof given === 'string' && /^[A-Za-z][0-9A-Za-z-]{2,23}$/.test(given)) return given;
  throw new SecretsError('OPTION_INVALID', `${WHERE}: \`name\` must be a name that a vault can have`, {
    next: 'Use 3 to 24 letters, digits and "-", starting with a letter.',
  });
};

const rateLimit: Option<{ readonly perTenSeconds: number }> = (given) => {
  if (given === undefined) return { perTenSeconds: Number.POSITIVE_INFINITY };
  return readOptions(`${WHERE}.rateLimit`, given, { perTenSeconds });
};

const perTenSeconds: Option<number> = (given, reject) =>
  typeof given === 'number' && given >= 0 ? given : reject('a number of requests, 0 or more');
