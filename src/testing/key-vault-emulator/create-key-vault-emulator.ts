import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:https';
import { join } from 'node:path';
import { type Jose, peerJose } from '../../internal/peer';
import { createTestMount } from '../test-mount';
import { createServerIdentity, signingKey } from './certificates';
import { ENTRA_HOST, Entra } from './entra';
import { Faults, type KeyVaultFault } from './faults';
import { ConnectProxy, LoopbackAgent } from './loopback';
import { JOSE_USES, type KeyVaultEmulatorOptions, readEmulatorOptions } from './options';
import { EmulatorServer, type KeyVaultRequest } from './server';
import { AccessTokens, Cluster, type ProjectedToken } from './tokens';
import { RateLimit, Vault } from './vault';
import { type KeyVaultSecretAttributes, VaultContent } from './vault-content';
import { VaultReads } from './vault-reads';

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

const CA_FILE = 'ca.crt';

/**
 * Starts a Key Vault and the Entra tenant in front of it, in this process and on 127.0.0.1, for tests with the real
 * clients of `@azure/identity` and `@azure/keyvault-secrets`: real names, TLS, the 401 challenge, workload identity and
 * paging. Every check of the clients stays on. Clients can only read; tests write through the emulator. Needs the optional
 * packages jose and node-forge.
 *
 * @example
 * ```ts
 * await using vault = await createKeyVaultEmulator({ secrets: { 'api-key': 'first' } });
 * const credential = new WorkloadIdentityCredential({ ...vault.workloadIdentity, agent: vault.agent });
 * const client = new SecretClient(vault.vaultUrl, credential, { agent: vault.agent });
 * await client.getSecret('api-key');
 * await vault.set('api-key', 'second');
 * vault.fail({ kind: 'throttled', times: 2 });
 * ```
 * @throws `PEER_MISSING`, `PEER_UNSUPPORTED`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `NAME_INVALID`
 */
export async function createKeyVaultEmulator(options?: KeyVaultEmulatorOptions): Promise<KeyVaultEmulator> {
  const read = readEmulatorOptions(options);
  const { tenantId, clientId } = read;
  const vaultHost = `${read.name.toLowerCase()}.vault.azure.net`;
  const vaultUrl = `https://${vaultHost}`;
  const hosts = [vaultHost, ENTRA_HOST];
  const content = new VaultContent();
  for (const [name, value] of Object.entries(read.secrets)) content.set(name, value);

  const jose = await peerJose(JOSE_USES, read.jose);
  const [identity, services] = await Promise.all([
    createServerIdentity(hosts, read.nodeForge),
    createServices(jose, read, vaultHost, content),
  ]);
  const { vault, entra, tokens, faults, clusterKey } = services;
  const server = await EmulatorServer.start([vault, entra], identity);
  const proxy = await ConnectProxy.start(hosts, server.port);
  const agent = new LoopbackAgent(hosts, server.port, identity.ca);
  const mount = await createTestMount({ [CA_FILE]: identity.ca }, { mode: 0o600 });
  const cluster = new Cluster(jose, clusterKey, mount);
  await cluster.project();
  const workloadIdentity = { tenantId, clientId, tokenFilePath: cluster.tokenFilePath };

  let closing: Promise<unknown> | undefined;
  async function close(): Promise<void> {
    agent.destroy();
    closing ??= Promise.all([server.close(), proxy.close(), mount.cleanup()]);
    await closing;
  }

  return {
    vaultUrl,
    agent,
    workloadIdentity,
    options: { vaultUrl, agent, workloadIdentity },
    environment: {
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_FEDERATED_TOKEN_FILE: cluster.tokenFilePath,
      AZURE_AUTHORITY_HOST: `https://${ENTRA_HOST}/`,
      AZURE_KEY_VAULT_ENDPOINT: vaultUrl,
      HTTPS_PROXY: proxy.url,
      NODE_EXTRA_CA_CERTS: join(mount.path, CA_FILE),
    },
    ca: identity.ca,
    port: server.port,
    proxyUrl: proxy.url,
    requests: server.requests,
    get openSockets() {
      return server.openSockets;
    },
    set: async (name, value, attributes) => content.set(name, value, attributes),
    setCertificate: async (name, pem, attributes) => content.setCertificate(name, pem, attributes),
    update: async (name, attributes, version) => content.update(name, attributes, version),
    delete: async (name) => content.delete(name),
    recover: async (name) => content.recover(name),
    fail: (fault) => faults.add(fault),
    revokeTokens: () => tokens.revoke(),
    projectToken: (token) => cluster.project(token),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Connects the vault to the tenant, which issues the tokens that the vault accepts. */
async function createServices(
  jose: Jose,
  read: ReturnType<typeof readEmulatorOptions>,
  vaultHost: string,
  content: VaultContent,
) {
  const { tenantId, clientId, clientSecret, pageSize, emptyPages, tokenLifetimeMs, rateLimit } = read;
  const [key, clusterKey] = await Promise.all([
    signingKey(jose, 'entra', randomUUID()),
    signingKey(jose, 'cluster', randomUUID()),
  ]);
  const faults = new Faults();
  const tokens = new AccessTokens(jose, key, tenantId);
  const lifetimeSeconds = Math.floor(tokenLifetimeMs / 1000);
  const tenant = { tenantId, clientId, clientSecret, lifetimeSeconds, key, cluster: clusterKey };
  const context = { name: read.name, tenantId, caller: tokens.caller(clientId) };
  const limit = new RateLimit(rateLimit.perTenSeconds);
  const reads = new VaultReads(`https://${vaultHost}`, content, { pageSize, emptyPages });
  return {
    vault: new Vault(vaultHost, context, { tokens, limit, faults, reads }),
    entra: new Entra(jose, tenant, tokens, faults),
    tokens,
    faults,
    clusterKey,
  };
}
