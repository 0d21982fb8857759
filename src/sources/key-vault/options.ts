import type { Agent } from 'node:https';
import { SecretsError } from '../../errors';
import { assertNumber, rejectUnknownOptions } from '../../internal/options';
import type { WorkloadIdentity } from './identity-errors';
import { PACE_DEFAULTS } from './pace';
import type { TokenCredential } from './token-cache';

/** Durations are milliseconds. */
export interface KeyVaultOptions {
  /** `https://NAME.vault.azure.net`. */
  readonly vaultUrl: string;
  /**
   * Any credential of `@azure/identity`, or your own. Default: in a pod with workload identity (`$AZURE_FEDERATED_TOKEN_FILE`)
   * exactly that, elsewhere `DefaultAzureCredential`.
   */
  readonly credential?: TokenCredential;
  /** The workload identity, where it is not the one of the environment. */
  readonly workloadIdentity?: WorkloadIdentity;
  /** Also read every secret that the vault lists, for a store without declared names; needs the right to list. Default: false. */
  readonly list?: boolean;
  /** Between two looks, ±10 %; the first comes anywhere within it. Default: 900 000 (15 minutes). */
  readonly refreshIntervalMs?: number;
  /** Bound of one request, of a token and of one page of a list. Default: 5 000. */
  readonly requestTimeoutMs?: number;
  /** Bound of one look after the first. Default: 10 000. */
  readonly refreshTimeoutMs?: number;
  /** How long the first look tries again while the vault fails. Default: 20 000. */
  readonly startTimeoutMs?: number;
  /** Most requests at a time. Default: 8. */
  readonly concurrency?: number;
  /**
   * For the connections to the vault and, unless a credential is given, to Entra ID. Default: the proxy of the environment
   * (`$HTTPS_PROXY`) where there is one, else an agent of its own, which is closed with the store.
   */
  readonly agent?: Agent;
  /** Further options for `SecretClient`. Its retries stay off: the source has its own. */
  readonly clientOptions?: object;
}

const DEFAULTS = {
  list: false,
  refreshIntervalMs: PACE_DEFAULTS.refreshIntervalMs,
  requestTimeoutMs: 5_000,
  refreshTimeoutMs: 10_000,
  startTimeoutMs: 20_000,
  concurrency: 8,
};

/** The least that makes sense of each number. */
const LEAST = {
  refreshIntervalMs: 1_000,
  requestTimeoutMs: 1,
  refreshTimeoutMs: 1,
  startTimeoutMs: 1,
  concurrency: 1,
};

const OTHERS = ['vaultUrl', 'credential', 'workloadIdentity', 'agent', 'clientOptions'];

/** The options with their defaults. @throws `OPTION_UNKNOWN`, `OPTION_INVALID`. */
export function readOptions(options: KeyVaultOptions): KeyVaultOptions & typeof DEFAULTS {
  const where = 'keyVault';
  rejectUnknownOptions(where, options, [...Object.keys(DEFAULTS), ...OTHERS]);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const read = { ...DEFAULTS, ...given, vaultUrl: checkedUrl(options.vaultUrl) };
  for (const [option, least] of Object.entries(LEAST)) {
    assertNumber(where, option, read[option as keyof typeof LEAST], least);
  }
  return read;
}

function checkedUrl(vaultUrl: unknown): string {
  const url = typeof vaultUrl === 'string' && URL.canParse(vaultUrl) ? new URL(vaultUrl) : undefined;
  if (url?.protocol === 'https:') return url.origin;
  throw new SecretsError('OPTION_INVALID', 'vaultUrl of keyVault is no https address', {
    next: 'Give the address of the vault: https://NAME.vault.azure.net',
  });
}
