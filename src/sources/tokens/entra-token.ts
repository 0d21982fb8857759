import type { Agent } from 'node:https';
import { SecretsError } from '../../errors';
import { type Option, passed, readOptions } from '../../internal/options';
import { assertEntraAnswer } from '../key-vault/answers';
import { Connections } from '../key-vault/connections';
import {
  type AzureIdentityModule,
  createCredential,
  DEVELOPER_TIMEOUT_MS,
  type Token,
  type TokenCredential,
  TokenRequests,
  type WorkloadIdentity,
  workloadIdentityOf,
} from '../key-vault/credentials';
import { identityError, tokenTimeout } from '../key-vault/identity-errors';
import { credential, workloadIdentityOption } from '../key-vault/options';
import type { Source } from '../source';
import type { IssuedToken } from './token-keeper';
import { assertAlias, required, type TokenOptions, tokenOptions, tokenSource } from './token-source';

/** The scopes of services that take a token as a password, in the public cloud of Azure. */
export const entraScopes = Object.freeze({
  /** Azure Database for PostgreSQL. */
  postgresql: 'https://ossrdbms-aad.database.windows.net/.default',
  /** Azure Database for MySQL. */
  mysql: 'https://ossrdbms-aad.database.windows.net/.default',
  /** Azure Cache for Redis and Azure Managed Redis. */
  redis: 'https://redis.azure.com/.default',
  /** Azure SQL. */
  sql: 'https://database.windows.net/.default',
});

/** Options of `entraToken`. Durations are milliseconds. */
export interface EntraTokenOptions extends TokenOptions {
  /** What the token is for: one of `entraScopes`, or another scope that ends in `/.default`. */
  readonly scope: string;
  /**
   * A credential of `@azure/identity`, or your own. Default: the workload identity if there is one
   * (`$AZURE_FEDERATED_TOKEN_FILE`), otherwise `DefaultAzureCredential`.
   */
  readonly credential?: TokenCredential | undefined;
  /** The workload identity, if it differs from the one in the environment. */
  readonly workloadIdentity?: WorkloadIdentity | undefined;
  /** The agent for connections to Entra ID. Default: the proxy of the environment (`$HTTPS_PROXY`) if there is one. */
  readonly agent?: Agent | undefined;
  /** The `@azure/identity` package to use instead of the installed one. */
  readonly identity?: AzureIdentityModule | undefined;
}

const USAGE = "entraToken('db-token', { scope: entraScopes.postgresql })";

/**
 * A source of one access token of Entra ID, which Azure Database for PostgreSQL and MySQL, Redis and SQL take as a password.
 * The next one is requested after a random part of its lifetime between one half and two thirds; until it arrives, the last
 * one serves to its end. Needs the package `@azure/identity`, unless the option `credential` is given.
 *
 * Throws `OPTION_INVALID`, `OPTION_UNKNOWN`, `NAME_INVALID`. Errors: `IDENTITY_…`, `TOKEN_TIMEOUT`, `TOKEN_INVALID`,
 * `VAULT_UNTRUSTED`, `VAULT_PROXY_REFUSED`, `VAULT_UNAVAILABLE`, `VALUE_EXPIRED`, `PEER_MISSING`, `PEER_UNSUPPORTED`.
 *
 * @example
 * ```ts
 * import { entraScopes, entraToken } from 'hot-secrets/tokens';
 * const secrets = await SecretStore.open({
 *   secrets: { dbToken: 'db-token' },
 *   sources: [entraToken('db-token', { scope: entraScopes.postgresql })],
 * });
 * ```
 */
export function entraToken(alias: string, options: EntraTokenOptions): Source {
  assertAlias('entraToken', alias, USAGE);
  const { scope, agent, identity, ...rest } = readOptions('entraToken', options, {
    ...tokenOptions,
    scope: scopeOption,
    credential,
    workloadIdentity: workloadIdentityOption('entraToken'),
    agent: passed<Agent>(),
    identity: passed<AzureIdentityModule>(),
  });
  const { credential: given, workloadIdentity, ...timing } = rest;
  const isWorkload = workloadIdentity !== undefined || Boolean(process.env.AZURE_FEDERATED_TOKEN_FILE);
  const kind = given !== undefined ? 'given' : isWorkload ? 'workload' : 'default';
  const timeoutMs =
    kind === 'workload' ? timing.requestTimeoutMs : Math.max(timing.requestTimeoutMs, DEVELOPER_TIMEOUT_MS);
  const explainTimeout = () => tokenTimeout(kind, timeoutMs, 'TOKEN_TIMEOUT', scope.replace('/.default', ''));
  let connected: { readonly connections: Connections; readonly requests: TokenRequests } | undefined;

  /** Returns what requests tokens. Makes it at the first request, because its package takes 200 ms to load. */
  function connect() {
    if (connected !== undefined) return connected;
    const workload = given === undefined ? workloadIdentityOf(workloadIdentity) : undefined;
    const connections = new Connections({ timeoutMs, agent });
    const requests = new TokenRequests({
      create(failed) {
        const shared = connections.forIdentity(assertEntraAnswer, failed);
        return given ?? createCredential(workload, shared, identity);
      },
      timeoutMs,
      closing: connections.closing,
      during: (work) => connections.duringToken(work),
      explain: (error, failed) => identityError(error, workload, failed),
      explainTimeout,
    });
    connected = { connections, requests };
    return connected;
  }

  return tokenSource({
    ...timing,
    requestTimeoutMs: timeoutMs,
    name: 'entra-token',
    location: scope,
    aliases: [alias],
    origin: `Entra ID ${scope}`,
    explainTimeout,
    async issue() {
      const { requests } = connect();
      requests.reset();
      return issuedOf(alias, await requests.send(scope, {}));
    },
    released() {
      connected?.connections.close();
      connected = undefined;
    },
  });
}

/** A resource without `/.default` is a mistake that Entra ID explains badly. */
const scopeOption: Option<string> = (given, reject) => {
  const scope = required(given, reject);
  if (!/^https:\/\/[^/]+\/?$/.test(scope)) return scope;
  throw new SecretsError('OPTION_INVALID', 'entraToken: `scope` is the address of a resource, not a scope', {
    next: `Write '${scope.replace(/\/$/, '')}/.default', or one of entraScopes.`,
  });
};

/** @throws `TOKEN_INVALID` for what a credential of the caller may return. */
function issuedOf(alias: string, { token, expiresOnTimestamp }: Token): IssuedToken {
  const isToken = typeof token === 'string' && token !== '';
  const expiresAt = new Date(expiresOnTimestamp);
  if (isToken && typeof expiresOnTimestamp === 'number' && !Number.isNaN(expiresAt.getTime())) {
    return { values: new Map([[alias, new TextEncoder().encode(token)]]), expiresAt };
  }
  const what = `the credential for "${alias}" returned ${isToken ? 'a token without its end' : 'no token'}`;
  throw new SecretsError('TOKEN_INVALID', what, {
    secret: alias,
    next: 'Its getToken must return { token, expiresOnTimestamp }, with milliseconds since 1970.',
  });
}
