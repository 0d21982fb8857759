import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childFile } from '../support/child-file';
import { ask, clientOf, credentialOf, failureOf, startVault } from '../support/key-vault-clients';
import { waitFor } from '../support/wait-for';

const SUPPORT = join(import.meta.dirname, '../support');

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const options = { timeout: 20_000, env: { ...process.env, ...env } };
  return (await promisify(execFile)(process.execPath, args, options)).stdout.trim();
}

describe('the process and the network of the emulator', () => {
  it('serves unmodified clients of another process through environment variables alone', async () => {
    const vault = await startVault({ secrets: { 'api-key': 'first' } });
    expect(await run([join(SUPPORT, 'key-vault-child.mjs')], vault.environment)).toBe('read');
    expect(vault.requests.map(({ status }) => status)).toEqual([401, 200, 200]);
  });

  it('refuses connections to any other host', async () => {
    const vault = await startVault();
    const refused = ask(vault, 'https://example.com/');
    await expect(refused).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('emulator.vault.azure.net and login.microsoftonline.com'),
    });
    const status = await new Promise((resolve, reject) => {
      const asked = request(vault.proxyUrl, { method: 'CONNECT', path: 'example.com:443' });
      asked.on('connect', ({ statusCode }) => resolve(statusCode));
      asked.on('error', reject);
      asked.end();
    });
    expect(status).toBe(403);
  });

  it('presents certificates of its own authority and for its own names only', async () => {
    const vault = await startVault();
    const stranger = await startVault({ name: 'stranger' });
    const verdict = (servername: string, ca: string) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: vault.port, servername, ca }, () => {
          socket.destroy();
          resolve('trusted');
        });
        socket.on('error', (error: NodeJS.ErrnoException) =>
          error.code ? resolve(error.code) : reject(error),
        );
      });
    expect(await verdict('emulator.vault.azure.net', vault.ca)).toBe('trusted');
    expect(await verdict('login.microsoftonline.com', vault.ca)).toBe('trusted');
    expect(await verdict('example.com', vault.ca)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(await verdict('emulator.vault.azure.net', stranger.ca)).not.toBe('trusted');
  });

  it('writes its token file for the user alone', async () => {
    const { workloadIdentity } = await startVault();
    expect(statSync(workloadIdentity.tokenFilePath).mode & 0o777).toBe(0o600);
  });

  it('keeps values and tokens out of the request log of the emulator', async () => {
    const vault = await startVault({ secrets: { 'api-key': 'the-first-value' } });
    const client = clientOf(vault);
    await client.getSecret('api-key');
    vault.fail({ kind: 'bad-json' });
    await failureOf(client.getSecret('api-key'));
    const token = readFileSync(vault.workloadIdentity.tokenFilePath, 'utf8');
    const log = JSON.stringify(vault.requests);
    expect(log).not.toContain('the-first-value');
    expect(log).not.toContain(token.split('.')[2]);
  });

  it('closes all connections and removes its files when the emulator closes, even with hanging requests', async () => {
    const vault = await startVault({ secrets: { 'api-key': 'first' } });
    const client = clientOf(vault);
    await client.getSecret('api-key');
    expect(vault.openSockets).toBe(2);
    vault.fail({ kind: 'hang-before-headers' });
    const before = vault.requests.length;
    const hanging = failureOf(client.getSecret('api-key'));
    await waitFor(() => vault.requests.length > before);
    await Promise.all([vault.close(), vault.close()]);
    expect(await hanging).toMatchObject({ code: 'ECONNRESET' });
    expect(vault.openSockets).toBe(0);
    expect(existsSync(vault.workloadIdentity.tokenFilePath)).toBe(false);
    expect(await failureOf(client.getSecret('api-key'))).toMatchObject({ code: 'ECONNREFUSED' });
    await expect(credentialOf(vault).getToken('https://vault.azure.net/.default')).rejects.toThrow();
    await vault.close();
  });

  it('lets a process exit that never closes the emulator', async () => {
    // The test removes what such a process leaves in the temporary directory.
    const TMPDIR = mkdtempSync(join(tmpdir(), 'hot-secrets-'));
    onTestFinished(() => rmSync(TMPDIR, { recursive: true }));
    const child = join(SUPPORT, 'key-vault-emulator-exit-child.ts');
    expect(await run([childFile(child)], { TMPDIR })).toBe('asked');
  });
});
