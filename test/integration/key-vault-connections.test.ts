import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { memory, SecretStore, secret } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { childFile } from '../support/child-file';
import { startVault, tokenFor } from '../support/key-vault-clients';
import { openStore, refusal, sourceOf } from '../support/key-vault-stage';
import { waitFor } from '../support/wait-for';

const NAMES = { key: 'key' };
const VAULT = 'https://shop.vault.azure.net';
const credential = { getToken: async () => ({ token: 'x', expiresOnTimestamp: Date.now() + 3_600_000 }) };
const POD = {
  AZURE_TENANT_ID: '00000000-0000-4000-8000-000000000001',
  AZURE_CLIENT_ID: '00000000-0000-4000-8000-000000000002',
};

const none = {
  AZURE_FEDERATED_TOKEN_FILE: undefined,
  AZURE_TENANT_ID: undefined,
  AZURE_CLIENT_ID: undefined,
};

function stub(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that accepts connections, and never answers. `read: false` does not even notice that a client ends one. */
async function silence({ read = true } = {}) {
  const open = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    open.add(socket);
    if (read) socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
  });
  const port = await listening(server);
  return {
    port,
    get open() {
      return open.size;
    },
    get accepted() {
      return accepted;
    },
    /** Resolves when the clients have ended all connections. Only a server that reads notices each end. */
    async isLeft() {
      await waitFor(
        () => {
          for (const socket of open) socket.resume();
          return open.size === 0;
        },
        { timeoutMs: 5_000, what: 'the end of all connections' },
      );
    },
  };
}

/** A proxy that answers each CONNECT with this status. */
async function refusingProxy(status: number): Promise<string> {
  const proxy = createHttpServer();
  proxy.on('connect', (_, socket) => {
    // A client may reset the connection.
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 ${status} No\r\nproxy-authenticate: Basic\r\n\r\n`);
  });
  return `http://user:hunter2@127.0.0.1:${await listening(proxy)}`;
}

describe('work that was given up', () => {
  it.each([true, false])(
    'leaves no connection to a proxy that never answers after 50 refreshes (which reads: %s)',
    async (read) => {
      const proxy = await silence({ read });
      stub({ HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: '' });
      const source = keyVault({ vaultUrl: VAULT, credential, startTimeoutMs: 50, requestTimeoutMs: 50 });
      const lookups = [{ name: 'key', file: 'key', env: [], vault: 'key' }];
      const { signal } = new AbortController();
      for (let round = 0; round < 50; round += 1) {
        const reading = source.read({ lookups, list: false, since: undefined, signal });
        await expect(reading).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
      }
      expect(proxy.accepted).toBeGreaterThanOrEqual(50);
      await proxy.isLeft();
      const last = source.read({ lookups, list: false, since: undefined, signal }).catch(() => {});
      await waitFor(() => proxy.open === 1, { timeoutMs: 1_000 }).catch(() => {});
      await source.close?.();
      await last;
      await proxy.isLeft();
    },
  );

  const TOKEN_FILE = 'token';
  it.each([
    ['a proxy', (port: number) => ({ HTTPS_PROXY: `http://127.0.0.1:${port}` }), ['x']],
    [
      'a proxy on the way to Entra ID',
      (port: number) => ({
        HTTPS_PROXY: `http://127.0.0.1:${port}`,
        ...POD,
        AZURE_FEDERATED_TOKEN_FILE: TOKEN_FILE,
      }),
      [],
    ],
    ['the vault', () => ({}), ['x']],
  ])('lets the process end by itself when %s never answers', async (what, environment, more) => {
    const server = await silence({ read: false });
    const folder = mkdtempSync(join(tmpdir(), 'key-vault-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, TOKEN_FILE), 'e30.e30.x');
    const variables: Record<string, string> = environment(server.port);
    if (variables.AZURE_FEDERATED_TOKEN_FILE) variables.AZURE_FEDERATED_TOKEN_FILE = join(folder, TOKEN_FILE);
    const vaultUrl = what === 'the vault' ? `https://127.0.0.1:${server.port}` : VAULT;
    const child = join(import.meta.dirname, '../support/key-vault-refused-child.ts');
    const env = { PATH: process.env.PATH, ...variables };
    // Rejects if the process has not ended by then.
    const { stdout } = await promisify(execFile)(process.execPath, [childFile(child), vaultUrl, ...more], {
      env,
      timeout: 15_000,
    });
    expect(stdout.trim()).toBe('VAULT_TIMEOUT');
    expect(server.accepted).toBeGreaterThan(0);
  });
});

describe('a proxy that refuses the vault', () => {
  it.each([
    [
      407,
      'VAULT_PROXY_REFUSED',
      'demands a login before it connects to shop.vault.azure.net (status 407)',
      'USER:PASSWORD@HOST',
    ],
    [403, 'VAULT_PROXY_REFUSED', 'refuses to connect to shop.vault.azure.net (status 403)', 'NO_PROXY'],
    [502, 'VAULT_UNAVAILABLE', 'does not connect to shop.vault.azure.net (status 502)', 'NO_PROXY'],
  ])('names a proxy that refuses the vault, with its status (%i)', async (status, code, what, next) => {
    stub({ HTTPS_PROXY: await refusingProxy(status), NO_PROXY: '' });
    const error = await refusal(NAMES, keyVault({ vaultUrl: VAULT, credential, startTimeoutMs: 2_000 }));
    expect(error).toMatchObject({ code, next: expect.stringContaining(next) });
    expect(error.what).toContain(what);
    expect(error.message).not.toContain('hunter2');
  });

  it('names a proxy that refuses Entra ID, or cannot be reached', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const { workloadIdentity } = vault;
    stub({ HTTPS_PROXY: await refusingProxy(403), NO_PROXY: '.vault.azure.net' });
    const direct = { vaultUrl: vault.vaultUrl, workloadIdentity };
    // Only the requests to the vault take this agent.
    expect(
      await refusal(NAMES, keyVault({ ...direct, clientOptions: { agent: vault.agent } })),
    ).toMatchObject({
      code: 'VAULT_PROXY_REFUSED',
      what: expect.stringContaining('refuses to connect to login.microsoftonline.com (status 403)'),
    });
    stub({ HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '' });
    expect(
      await refusal(NAMES, keyVault({ vaultUrl: VAULT, credential, startTimeoutMs: 3_000 })),
    ).toMatchObject({
      code: 'VAULT_UNAVAILABLE',
      what: expect.stringContaining('the proxy http://127.0.0.1:9 (ECONNREFUSED) does not connect'),
    });
  });
});

describe('the connections of keyVault', () => {
  it('reads a vault through the proxy of the environment', async () => {
    const secrets = { 'key-0': 'v', 'key-1': 'v', 'key-2': 'v' };
    const vault = await startVault({ secrets });
    const child = join(import.meta.dirname, '../support/key-vault-open-child.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [childFile(child)], {
      env: { PATH: process.env.PATH, ...vault.environment },
      timeout: 20_000,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      'key-0': 'key-vault',
      'key-1': 'key-vault',
      'key-2': 'key-vault',
    });
  });

  it('names NODE_EXTRA_CA_CERTS when the authority of the server is unknown', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const vaultUrl = `https://127.0.0.1:${vault.port}`;
    stub({ HTTPS_PROXY: undefined, https_proxy: undefined });
    const error = await refusal(NAMES, keyVault({ vaultUrl, credential }));
    expect(error).toMatchObject({
      code: 'VAULT_UNTRUSTED',
      what: expect.stringContaining('the certificate of 127.0.0.1 is not trusted'),
      next: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
  });

  it('names a bad AZURE_KEY_VAULT_ENDPOINT, and not an option that nobody passed', async () => {
    for (const address of ['shop.vault.azure.net', 'http://shop.vault.azure.net', 'shop']) {
      stub({ AZURE_KEY_VAULT_ENDPOINT: address });
      await expect(SecretStore.open()).rejects.toMatchObject({
        code: 'OPTION_INVALID',
        what: 'the variable AZURE_KEY_VAULT_ENDPOINT must be an https address',
      });
    }
  });
});

describe('the default credential', () => {
  const none = {
    AZURE_FEDERATED_TOKEN_FILE: undefined,
    AZURE_TENANT_ID: undefined,
    AZURE_CLIENT_ID: undefined,
  };

  it('waits for an Azure CLI that takes longer than requestTimeoutMs, and starts it once', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const folder = mkdtempSync(join(tmpdir(), 'key-vault-az-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const answer = { accessToken: await tokenFor(vault), expires_on: 4_070_908_800, tokenType: 'Bearer' };
    writeFileSync(join(folder, 'answer'), JSON.stringify(answer));
    const script = `#!/bin/sh\necho call >> ${folder}/log\nsleep 3\ncat ${folder}/answer\n`;
    writeFileSync(join(folder, 'az'), script, { mode: 0o755 });
    stub({ ...none, PATH: `${folder}:${process.env.PATH}`, AZURE_TOKEN_CREDENTIALS: 'AzureCliCredential' });
    const source = sourceOf(vault, { workloadIdentity: undefined as never, requestTimeoutMs: 1_000 });
    const { store } = await openStore(NAMES, source);
    expect(store.reveal('key')).toBe('value');
    expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('call\n');
  });

  it('names AZURE_TOKEN_CREDENTIALS when its value is misspelt, without a retry', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    for (const value of ['AzureCLI', 'production', 'hunter2']) {
      stub({ ...none, AZURE_TOKEN_CREDENTIALS: value });
      const start = performance.now();
      const error = await refusal(NAMES, sourceOf(vault, { workloadIdentity: undefined as never }));
      expect(performance.now() - start).toBeLessThan(5_000);
      expect(error).toMatchObject({
        code: 'IDENTITY_MISSING',
        next: expect.stringContaining('AzureCliCredential'),
      });
      expect(error.what).toContain('AZURE_TOKEN_CREDENTIALS');
      expect(error.message).not.toContain(value === 'AzureCLI' ? 'AzureCLI ' : value);
    }
  });
});

describe('a managed identity', () => {
  // MSAL keeps the first endpoint and the tokens for the whole process, so these tests share an endpoint, in this order.
  const connections = new Set<Socket>();
  let answer: (response: ServerResponse) => void = () => {};
  const endpoint = createHttpServer((_, response) => answer(response));
  endpoint.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
  });
  const machine = async () => {
    if (!endpoint.listening) await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
    stub({
      ...none,
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
      IDENTITY_ENDPOINT: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/msi/token`,
      IDENTITY_HEADER: 'x',
      HTTPS_PROXY: undefined,
    });
    return startVault({ secrets: { key: 'value' } });
  };
  afterAll(() => {
    endpoint.closeAllConnections();
    endpoint.close();
  });

  it('leaves no connection to an endpoint that never answers', async () => {
    for (const round of [1, 2, 3]) {
      const vault = await machine();
      const source = sourceOf(vault, { workloadIdentity: undefined as never, startTimeoutMs: 500 });
      const { store } = await openStore(
        { key: secret.text('key').optional() },
        memory({ other: '' }),
        source,
      ).catch(() => ({ store: undefined }));
      await store?.close();
      await waitFor(() => connections.size === 0, { timeoutMs: 5_000, what: `the end of round ${round}` });
    }
  });

  it('reports a managed identity that is not assigned to the machine as that', async () => {
    const vault = await machine();
    answer = (response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":"invalid_request","error_description":"Identity not found"}');
    };
    expect(await refusal(NAMES, sourceOf(vault, { workloadIdentity: undefined as never }))).toMatchObject({
      code: 'IDENTITY_MISSING',
      what: 'the managed identity is not assigned to this machine (tried: ManagedIdentityCredential)',
      next: expect.stringContaining('az vm identity assign'),
    });
  });

  it('requests its token with plain http, although the option agent is for https', async () => {
    const vault = await machine();
    const token = await tokenFor(vault);
    answer = (response) => {
      response.setHeader('content-type', 'application/json');
      const expires = Math.floor(Date.now() / 1000) + 86_400;
      response.end(
        JSON.stringify({ access_token: token, expires_on: String(expires), token_type: 'Bearer' }),
      );
    };
    const { store } = await openStore(NAMES, sourceOf(vault, { workloadIdentity: undefined as never }));
    expect(store.reveal('key')).toBe('value');
  });
});
