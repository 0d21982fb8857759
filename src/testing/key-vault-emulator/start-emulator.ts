import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Jose, peerJose } from '../../internal/peer';
import { createTestMount } from '../test-mount';
import { createServerIdentity, signingKey } from './certificates';
import { ENTRA_HOST, Entra } from './entra';
import { Faults } from './faults';
import { ConnectProxy, LoopbackAgent } from './loopback';
import { JOSE_USES, type KeyVaultEmulatorOptions, readEmulatorOptions } from './options';
import { EmulatorServer } from './server';
import { AccessTokens, Cluster } from './tokens';
import type { KeyVaultEmulator } from './types';
import { RateLimit, Vault } from './vault';
import { VaultContent } from './vault-content';
import { VaultReads } from './vault-reads';

const CA_FILE = 'ca.crt';

/** As `createKeyVaultEmulator`. */
export async function startEmulator(options?: KeyVaultEmulatorOptions): Promise<KeyVaultEmulator> {
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
