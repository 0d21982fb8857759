import { join } from 'node:path';
import { loadJose } from '../../internal/peer';
import { createTestMount } from '../test-mount';
import { createServerIdentity } from './certificates';
import { Cluster } from './cluster';
import { ConnectProxy } from './connect-proxy';
import { ENTRA_HOST } from './entra';
import { LoopbackAgent } from './loopback-agent';
import { readOptions } from './read-options';
import { EmulatorServer } from './server';
import { createServices } from './services';
import type { KeyVaultEmulator, KeyVaultEmulatorOptions } from './types';
import { VaultContent } from './vault-content';

const CA_FILE = 'ca.crt';

/**
 * Starts a Key Vault and the Entra tenant in front of it, in this process and on 127.0.0.1, for tests with the real
 * clients of `@azure/identity` and `@azure/keyvault-secrets`: real names, TLS, the 401 challenge, workload identity,
 * paging. Every check of the clients stays on. It reads as the service does; writing is the test's. Needs the optional
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
 * @throws `PEER_MISSING`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `NAME_INVALID`
 */
export async function createKeyVaultEmulator(
  options: KeyVaultEmulatorOptions = {},
): Promise<KeyVaultEmulator> {
  const read = readOptions(options);
  const { tenantId, clientId, vaultUrl } = read;
  const hosts = [read.vaultHost, ENTRA_HOST];
  const content = new VaultContent();
  for (const [name, value] of Object.entries(read.secrets)) content.set(name, value, {});

  const jose = await loadJose();
  const [identity, services] = await Promise.all([
    createServerIdentity(hosts),
    createServices(jose, read, content),
  ]);
  const { vault, entra, tokens, faults } = services;
  const server = await EmulatorServer.start([vault, entra], identity);
  const proxy = await ConnectProxy.start(hosts, server.port);
  const agent = new LoopbackAgent(hosts, server.port, identity.ca);
  const mount = await createTestMount({ [CA_FILE]: identity.ca }, { mode: 0o600 });
  const cluster = new Cluster(jose, services.clusterKey, mount);
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
    set: async (name, value, attributes = {}) => content.set(name, value, attributes),
    setCertificate: async (name, pem, attributes = {}) => content.setCertificate(name, pem, attributes),
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
