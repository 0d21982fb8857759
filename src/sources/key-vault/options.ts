import type { Agent } from 'node:https';
import { SecretsError } from '../../errors';
import { count, flag, kindOf, ms, type Option, passed, readOptions, text } from '../../internal/options';
import type { AzureIdentityModule, TokenCredential, WorkloadIdentity } from './credentials';
import { PACE_DEFAULTS } from './pace';
import type { KeyVaultSecretsModule } from './vault-client';

/** Options of `keyVault`. Durations are milliseconds. */
export interface KeyVaultOptions {
  /** `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /**
   * Any credential of `@azure/identity`, or your own. Default: in a pod with workload identity
   * (`$AZURE_FEDERATED_TOKEN_FILE`) exactly that identity, elsewhere `DefaultAzureCredential`.
   */
  readonly credential?: TokenCredential | undefined;
  /** The workload identity, if it differs from the one in the environment. */
  readonly workloadIdentity?: WorkloadIdentity | undefined;
  /**
   * Also reads every secret that the vault lists, for a store without declared names. Needs the permission to list.
   * Default: false.
   */
  readonly list?: boolean | undefined;
  /** The time between two refreshes, ±10 %; the first one comes at a random point within it. Default: 900 000 (15 minutes). */
  readonly refreshIntervalMs?: number | undefined;
  /** Bounds one request, one token request and one page of a list. Default: 5 000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Bounds each refresh after the first. Default: 10 000. */
  readonly refreshTimeoutMs?: number | undefined;
  /** Bounds the first refresh, which tries again while the vault fails. Default: 20 000. */
  readonly startTimeoutMs?: number | undefined;
  /** The maximum number of requests at a time. Default: 8. */
  readonly concurrency?: number | undefined;
  /**
   * Connects to the vault and, unless a credential is given, to Entra ID. Default: the proxy of the environment
   * (`$HTTPS_PROXY`) if there is one, else an agent of the source, which closes with the store.
   */
  readonly agent?: Agent | undefined;
  /** Further options for `SecretClient`. Its retries stay off, because the source has its own. */
  readonly clientOptions?: object | undefined;
  /** The `@azure/identity` package to use instead of the installed one. */
  readonly identity?: AzureIdentityModule | undefined;
  /** The `@azure/keyvault-secrets` package to use instead of the installed one. */
  readonly keyvaultSecrets?: KeyVaultSecretsModule | undefined;
}

const EXAMPLE = "keyVault({ vaultUrl: 'https://NAME.vault.azure.net' })";

/** Reads the options with their defaults. @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readKeyVaultOptions(options: KeyVaultOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new SecretsError(
      'OPTION_INVALID',
      `keyVault needs an object with vaultUrl, not ${kindOf(options)}`,
      {
        next: `Write ${EXAMPLE}.`,
      },
    );
  }
  return readOptions('keyVault', options, {
    vaultUrl: httpsOrigin,
    credential,
    workloadIdentity,
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

const credential: Option<TokenCredential | undefined> = (given, reject) => {
  const known = given as TokenCredential | null | undefined;
  if (known === undefined || typeof known?.getToken === 'function') return known;
  return reject('a credential, which is an object with `getToken`');
};

const workloadIdentity: Option<WorkloadIdentity | undefined> = (given) => {
  if (given === undefined) return undefined;
  return readOptions('keyVault.workloadIdentity', given, {
    tenantId: text(),
    clientId: text(),
    tokenFilePath: text(),
  });
};
