import type { Agent } from 'node:https';

/** Options of `createKeyVaultEmulator`. */
export interface KeyVaultEmulatorOptions {
  /** Names and first values. Default: none. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The name of the vault, which makes its URL: `https://NAME.vault.azure.net`. Default: `emulator`. */
  readonly name?: string;
  /** Default: a fixed GUID. */
  readonly tenantId?: string;
  /** The application that may sign in. Default: a fixed GUID. */
  readonly clientId?: string;
  /** Lets that application sign in with a client secret too. Default: with federated tokens alone. */
  readonly clientSecret?: string;
  /** Secrets on a page of a list, 1 to 25. Default: 25, as the service has it. */
  readonly pageSize?: number;
  /** Empty pages with a `nextLink` after each page that has one: the service sends such. Default: 1. */
  readonly emptyPages?: number;
  /** How long an access token is valid, in whole seconds. Default: 3 600 000. */
  readonly tokenLifetimeMs?: number;
  /** More requests than this in ten seconds are answered with 429. Default: no limit. */
  readonly rateLimit?: { readonly perTenSeconds: number };
}

/** What a version of a secret carries beside its value. */
export interface KeyVaultSecretAttributes {
  /** `false`: reading it answers 403. Default: `true`. */
  readonly enabled?: boolean;
  /** Informational, as in the service: the value is served before it too. */
  readonly notBefore?: Date;
  /** Informational, as in the service: the value is served after it too. */
  readonly expiresOn?: Date;
  readonly contentType?: string;
  /** At most 15. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** What goes wrong, and where. */
export interface KeyVaultFault {
  readonly kind: KeyVaultFaultKind;
  /**
   * `vault`: requests that carry a valid token, so that the challenge before it stays as it is. `entra`: requests for a
   * token. Default: `vault`.
   */
  readonly at?: 'vault' | 'entra';
  /** Only requests for these secrets. Default: every request, lists too. */
  readonly names?: readonly string[];
  /** How many requests. Default: every one, until it is lifted. */
  readonly times?: number;
  /** Of `unavailable` (default 503) and `empty-body` (default 500). */
  readonly status?: number;
  /** Of `throttled` and `unavailable`. Default: no `Retry-After`, as recorded from the service. */
  readonly retryAfterSeconds?: number;
  /** Of `slow`. Default: 1000. */
  readonly delayMs?: number;
}

/**
 * - `unauthorized`: 401, the token is refused
 * - `rbac`, `firewall`, `policy`: 403, told apart by the inner error alone
 * - `disabled`: 403, as for a secret that is disabled
 * - `throttled`: 429
 * - `unavailable`: 5xx
 * - `empty-body`: an error without a body
 * - `bad-json`: the right answer, cut off: it still holds most of the value
 * - `hang-before-headers`, `hang-in-body`: an answer that never comes, or never ends
 * - `reset`: the connection is closed instead of an answer
 * - `slow`: the right answer, late
 *
 * At `entra` there are no `unauthorized`, `rbac`, `firewall`, `policy` and `disabled`: `projectToken` makes it refuse.
 */
export type KeyVaultFaultKind =
  | 'unauthorized'
  | 'rbac'
  | 'firewall'
  | 'policy'
  | 'disabled'
  | 'throttled'
  | 'unavailable'
  | 'empty-body'
  | 'bad-json'
  | 'hang-before-headers'
  | 'hang-in-body'
  | 'reset'
  | 'slow';

/** A token as Kubernetes projects it into a pod, or what stands in its file instead. */
export interface ProjectedToken {
  /** Default: `system:serviceaccount:default:app`, whom the application trusts. */
  readonly subject?: string;
  /** Default: `api://AzureADTokenExchange`. */
  readonly audience?: string;
  /** Default: the one cluster that the application trusts. */
  readonly issuer?: string;
  /** Negative for one that has expired. Default: 24 hours. */
  readonly expiresInMs?: number;
  /** Signed with a key that the cluster does not have. Default: `false`. */
  readonly forged?: boolean;
  /** Written instead of a token: `''` for an empty file. */
  readonly content?: string;
}

/** One request, without a word of what was said. */
export interface KeyVaultRequest {
  readonly at: Date;
  readonly host: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** `undefined` while there is no answer. */
  readonly status: number | undefined;
}

/** Where a workload finds its federated token, and as whom it signs in with that. */
export interface WorkloadIdentityFiles {
  readonly tenantId: string;
  readonly clientId: string;
  readonly tokenFilePath: string;
}

/** A Key Vault, and the Entra tenant in front of it, that run in this process. */
export interface KeyVaultEmulator {
  /** `https://NAME.vault.azure.net` */
  readonly vaultUrl: string;
  /**
   * Leads connections to the vault and to `login.microsoftonline.com` here, trusts only the emulator, and refuses every
   * other host with `OPTION_INVALID`. Both clients take it as their option `agent`.
   */
  readonly agent: Agent;
  /** Options of `WorkloadIdentityCredential`. */
  readonly workloadIdentity: WorkloadIdentityFiles;
  /** Options of the source `keyVault`. */
  readonly options: {
    readonly vaultUrl: string;
    readonly agent: Agent;
    readonly workloadIdentity: WorkloadIdentityFiles;
  };
  /**
   * For a child process: what the webhook of workload identity sets, `AZURE_KEY_VAULT_ENDPOINT`, and the two that lead
   * unmodified clients here, `HTTPS_PROXY` and `NODE_EXTRA_CA_CERTS`. Node reads the last one when it starts.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** The certificate of the authority, PEM. */
  readonly ca: string;
  /** Where HTTPS is served, on 127.0.0.1. */
  readonly port: number;
  /** A proxy for CONNECT that knows the two hosts. */
  readonly proxyUrl: string;

  /** Adds a version, and the secret when it is new or deleted. Returns the id of the version. */
  set(name: string, value: string, attributes?: KeyVaultSecretAttributes): Promise<string>;
  /**
   * Adds a version of a certificate, as its secret shows it: a string is a PEM with the private key (`exp` and `nbf` come
   * from it), bytes are a PFX without a password. Returns the id of the version.
   */
  setCertificate(
    name: string,
    content: string | Uint8Array,
    attributes?: Omit<KeyVaultSecretAttributes, 'contentType'>,
  ): Promise<string>;
  /** Changes what the current version, or the given one, carries, without adding a version. */
  update(name: string, attributes: KeyVaultSecretAttributes, version?: string): Promise<void>;
  /** Deletes a secret softly. */
  delete(name: string): Promise<void>;
  /** Brings back a deleted secret with all its versions. */
  recover(name: string): Promise<void>;

  /** Makes requests fail. Where several match, the newest acts. Returns what lifts it. */
  fail(fault: KeyVaultFault): () => void;
  /** Refuses every access token given out so far with 401: a new one helps. */
  revokeTokens(): void;
  /** Writes the federated token of the pod anew. Credentials read the file at most every five minutes. */
  projectToken(token?: ProjectedToken): Promise<void>;

  /** Every request so far, at both hosts. */
  readonly requests: readonly KeyVaultRequest[];
  /** Connections to both hosts that are open now. */
  readonly openSockets: number;

  /** Closes every connection and removes every file. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
