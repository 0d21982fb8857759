import type { Agent } from 'node:https';
import { SecretsError } from '../../errors';
import { count, flag, kindOf, ms, type Option, passed, readOptions, text } from '../../internal/options';
import type { AzureIdentityModule, TokenCredential, WorkloadIdentity } from './credentials';
import { PACE_DEFAULTS } from './pace';
import type { KeyVaultSecretsModule } from './vault-client';

/** Options of `keyVault`. Durations are milliseconds. */
export interface KeyVaultOptions {
  /** The address of the vault: `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /**
   * A credential of `@azure/identity`, or your own. Default: the workload identity if there is one
   * (`$AZURE_FEDERATED_TOKEN_FILE`), otherwise `DefaultAzureCredential`.
   */
  readonly credential?: TokenCredential | undefined;
  /** The workload identity, if it differs from the one in the environment. */
  readonly workloadIdentity?: WorkloadIdentity | undefined;
  /**
   * Also reads every secret that the vault lists, for stores without declared secrets. Needs the permission to list.
   * Default: false.
   */
  readonly list?: boolean | undefined;
  /** Time between refreshes, ±10 %. The first comes after a random part of it. Default: 900 000 (15 minutes). */
  readonly refreshIntervalMs?: number | undefined;
  /** Time limit of one request: for a secret, a token, or one page of a list. Default: 5 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Time limit of each refresh after the first. Default: 10 000. */
  readonly refreshTimeoutMs?: number | undefined;
  /** Time limit of the first refresh, which retries while the vault fails. Default: 20 000. */
  readonly startTimeoutMs?: number | undefined;
  /** Maximum number of simultaneous requests. Default: 8. */
  readonly concurrency?: number | undefined;
  /**
   * The agent for connections to the vault and, without the option `credential`, to Entra ID. Default: the proxy of the
   * environment (`$HTTPS_PROXY`) if there is one, otherwise an agent that closes with the store.
   */
  readonly agent?: Agent | undefined;
  /** More options for `SecretClient`. Its retries stay off, because the source retries itself. */
  readonly clientOptions?: object | undefined;
  /** The `@azure/identity` package to use instead of the installed one. */
  readonly identity?: AzureIdentityModule | undefined;
  /** The `@azure/keyvault-secrets` package to use instead of the installed one. */
  readonly keyvaultSecrets?: KeyVaultSecretsModule | undefined;
}

const EXAMPLE = "keyVault({ vaultUrl: 'https://NAME.vault.azure.net' })";

/** Reads the options and adds their defaults. @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readKeyVaultOptions(options: KeyVaultOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new SecretsError(
      'OPTION_INVALID',
      `the options of keyVault must be an object with vaultUrl, not ${kindOf(options)}`,
      {
        next: `Write ${EXAMPLE}.`,
      },
    );
  }
  return readOptions('keyVault', options, {
    vaultUrl: httpsOrigin,
    credential,
    workloadIdentity: workloadIdentityOption('keyVault'),
    list: flag(false),
    refreshIntervalMs: ms(PACE_DEFAULTS.refreshIntervalMs, { least: 1_000 }),
    requestTimeoutMs: ms(5_000, { least: 1 }),
    refreshTimeoutMs: ms(10_000, { least: 1 }),
    startTimeoutMs: ms(20_000, { least: 1 }),
    concurrency: count(8, { least: 1 }),
    agent: passed<Agent>(),
    clientOptions: passed<object>(),
    identity: passed<AzureIdentityModule>(),
    keyvaultSecrets: passed<KeyVaultSecretsModule>(),
  });
}

const httpsOrigin: Option<string> = (given) => {
  const url = typeof given === 'string' && URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol === 'https:') return url.origin;
  throw new SecretsError('OPTION_INVALID', 'keyVault: `vaultUrl` must be an https address', {
    next: `Pass the address of the vault: ${EXAMPLE}.`,
  });
};

/** A credential with the interface of `@azure/core-auth`. */
export const credential: Option<TokenCredential | undefined> = (given, reject) => {
  const known = given as TokenCredential | null | undefined;
  if (known === undefined || typeof known?.getToken === 'function') return known;
  return reject('a credential with a `getToken` method');
};

/** The workload identity, an option of the function `where`. */
export const workloadIdentityOption =
  (where: string): Option<WorkloadIdentity | undefined> =>
  (given) => {
    if (given === undefined) return undefined;
    return readOptions(`${where}.workloadIdentity`, given, {
      tenantId: text(),
      clientId: text(),
      tokenFilePath: text(),
    });
  };
