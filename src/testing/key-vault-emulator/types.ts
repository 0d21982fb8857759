import type { Agent } from 'node:https';
import type { KeyVaultFault } from './faults';
import type { KeyVaultRequest } from './server';
import type { ProjectedToken } from './tokens';
import type { KeyVaultSecretAttributes } from './vault-content';

/** The identity that a workload signs in with, and the path of its federated token. */
export interface WorkloadIdentityFiles {
  readonly tenantId: string;
  readonly clientId: string;
  readonly tokenFilePath: string;
}

/** A Key Vault and the Entra tenant in front of it, running in this process. */
export interface KeyVaultEmulator {
  /** `https://NAME.vault.azure.net` */
  readonly vaultUrl: string;
  /**
   * Connects to the emulator instead of the vault and `login.microsoftonline.com`, trusts only the emulator, and refuses
   * every other host with `OPTION_INVALID`. Both clients take it as their option `agent`.
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
   * For a child process: the variables that the webhook of workload identity sets, `AZURE_KEY_VAULT_ENDPOINT`, and the two
   * that connect unmodified clients to the emulator, `HTTPS_PROXY` and `NODE_EXTRA_CA_CERTS`. Node reads the last one when
   * it starts.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** The certificate of the authority, in PEM. */
  readonly ca: string;
  /** The port of 127.0.0.1 that serves HTTPS. */
  readonly port: number;
  /** A CONNECT proxy for the two hosts. */
  readonly proxyUrl: string;

  /** Adds a version, and the secret if it is new or deleted. Returns the id of the version. */
  set(name: string, value: string, attributes?: KeyVaultSecretAttributes): Promise<string>;
  /**
   * Adds a version of a certificate, in the form of its secret. A string is a PEM with the private key, which also sets
   * `exp` and `nbf`; bytes are a PFX without a password. Returns the id of the version.
   */
  setCertificate(
    name: string,
    content: string | Uint8Array,
    attributes?: Omit<KeyVaultSecretAttributes, 'contentType'>,
  ): Promise<string>;
  /** Changes attributes of the current version, or of the given one, without adding a version. */
  update(name: string, attributes: KeyVaultSecretAttributes, version?: string): Promise<void>;
  /** Deletes a secret softly. */
  delete(name: string): Promise<void>;
  /** Brings back a deleted secret with all its versions. */
  recover(name: string): Promise<void>;

  /** Makes requests fail. If several faults match, the newest one applies. Returns a function that lifts the fault. */
  fail(fault: KeyVaultFault): () => void;
  /** Refuses every access token issued so far with 401; new tokens work. */
  revokeTokens(): void;
  /** Rewrites the federated token of the pod. Credentials read the file at most every five minutes. */
  projectToken(token?: ProjectedToken): Promise<void>;

  /** Every request so far, to both hosts. */
  readonly requests: readonly KeyVaultRequest[];
  /** The number of open connections to both hosts. */
  readonly openSockets: number;

  /** Closes every connection and removes every file. May be called again. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
