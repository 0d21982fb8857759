import { isSecretsError, SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';
import { count, type Option, passed, readOptions, text } from '../../internal/options';
import { type ModuleWith, peer } from '../../internal/peer';
import type { Source } from '../source';
import type { IssuedToken } from './token-keeper';
import { assertAlias, required, type TokenOptions, tokenOptions, tokenSource } from './token-source';

/** What is needed of the `@aws-sdk/rds-signer` package. */
export type RdsSignerModule = ModuleWith<'Signer'>;

/** Options of `rdsToken`. Durations are milliseconds. */
export interface RdsTokenOptions extends TokenOptions {
  /** The host of the instance, cluster or proxy, as the client connects to it. An alias of your own DNS does not work. */
  readonly hostname: string;
  /** The port of the database, such as 5432 or 3306. */
  readonly port: number;
  /** The database user. PostgreSQL: granted `rds_iam`. MySQL: identified with `AWSAuthenticationPlugin`. */
  readonly username: string;
  /** Default: `$AWS_REGION`, or the region of the profile. */
  readonly region?: string | undefined;
  /** A profile of the configuration files of AWS. */
  readonly profile?: string | undefined;
  /** The credentials of AWS, or a function that returns them. Default: the chain of the SDK. */
  readonly credentials?: object | undefined;
  /** The `@aws-sdk/rds-signer` package to use instead of the installed one. */
  readonly rdsSigner?: RdsSignerModule | undefined;
}

interface Peer {
  readonly Signer: new (options: object) => { getAuthToken(): Promise<string> };
}

const USAGE = "rdsToken('db-token', { hostname, port: 5432, username, region })";

/**
 * A source of one IAM token of Amazon RDS and Aurora, which PostgreSQL, MySQL and MariaDB take as a password. It lives 15
 * minutes, and is signed in this process. The next one is made after a random part of its lifetime between one half and two
 * thirds; until then, the last one serves. Needs the package `@aws-sdk/rds-signer`.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`, `NAME_INVALID`. Errors: `TOKEN_FAILED`, `TOKEN_TIMEOUT`, `TOKEN_INVALID`,
 * `VALUE_EXPIRED`, `PEER_MISSING`, `PEER_UNSUPPORTED`.
 *
 * @example
 * ```ts
 * import { rdsToken } from 'hot-secrets/tokens';
 * const address = { hostname: 'orders.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
 * const secrets = await SecretStore.open({
 *   secrets: { dbToken: 'db-token' },
 *   sources: [rdsToken('db-token', { ...address, region: 'eu-west-1' })],
 * });
 * ```
 */
export function rdsToken(alias: string, options: RdsTokenOptions): Source {
  assertAlias('rdsToken', alias, USAGE);
  const { hostname, port, username, region, profile, credentials, rdsSigner, ...timing } = readOptions(
    'rdsToken',
    options,
    {
      ...tokenOptions,
      hostname: hostOption,
      port: portOption,
      username: required,
      region: text(),
      profile: text(),
      credentials: passed<object>(),
      rdsSigner: passed<RdsSignerModule>(),
    },
  );
  const given = { hostname, port, username, region, profile, credentials };
  const config = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return tokenSource({
    ...timing,
    name: 'rds-token',
    location: `${hostname}:${port}`,
    aliases: [alias],
    origin: `IAM ${username}@${hostname}:${port}`,
    async issue() {
      const { Signer } = peer<Peer>('@aws-sdk/rds-signer', ['Signer'], rdsSigner);
      return issuedOf(alias, await new Signer(config).getAuthToken().catch((error) => failed(alias, error)));
    },
  });
}

const hostOption: Option<string> = (given, reject) =>
  /^[\w.-]+$/.test(required(given, reject))
    ? (given as string)
    : reject('a host name without scheme and port');

const portOption: Option<number> = (given, reject) =>
  count(0, { least: 1, most: 65_535 })(given ?? '', reject);

function failed(alias: string, error: unknown): never {
  if (isSecretsError(error)) throw error;
  const what = `no token for "${alias}" was signed: ${describeError(error)}`;
  throw new SecretsError('TOKEN_FAILED', what, {
    secret: alias,
    next: 'Check that the process has credentials of AWS (aws sts get-caller-identity) and a region. The last token serves until it expires.',
  });
}

const BASIC_TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Reads the end from the token: it is a URL with the time of its signature. */
function issuedOf(alias: string, token: unknown): IssuedToken {
  const query =
    typeof token === 'string' ? new URLSearchParams(token.slice(token.indexOf('?') + 1)) : undefined;
  const signedAt = (query?.get('X-Amz-Date') ?? '').replace(BASIC_TIME, '$1-$2-$3T$4:$5:$6Z');
  const lifetimeS = Number(query?.get('X-Amz-Expires') ?? Number.NaN);
  const expiresAt = new Date(Date.parse(signedAt) + lifetimeS * 1_000);
  if (Number.isNaN(expiresAt.getTime())) {
    throw new SecretsError(
      'TOKEN_INVALID',
      `the signer for "${alias}" returned something else than a token`,
      {
        secret: alias,
        next: 'Check the option rdsSigner, and the version of @aws-sdk/rds-signer.',
      },
    );
  }
  return { values: new Map([[alias, new TextEncoder().encode(token as string)]]), expiresAt };
}
