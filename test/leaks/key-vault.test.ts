import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { SecretStore } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { childFile } from '../support/child-file';
import { startVault, tokenFor } from '../support/key-vault-clients';
import { requestsOf, sourceOf } from '../support/key-vault-stage';
import { waitFor } from '../support/wait-for';

const SUPPORT = join(import.meta.dirname, '../support');
const many = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`key-${index}`, 'value']));

describe('SecretStore.open() without options', () => {
  it('prefers the mount to the vault, and lets a process exit with the store open', async () => {
    const vault = await startVault({ secrets: { both: 'of the vault', vaulted: 'v' }, pageSize: 1 });
    await using mount = await createTestMount({ both: 'of the mount' });
    const run = promisify(execFile)(process.execPath, [childFile(join(SUPPORT, 'key-vault-open-child.ts'))], {
      timeout: 25_000,
      env: { ...process.env, ...vault.environment, SECRETS_PATH: mount.path },
    });
    expect(JSON.parse((await run).stdout)).toEqual({ both: 'mounted-files', vaulted: 'key-vault' });
    await waitFor(() => vault.openSockets === 0);
  });
});

describe('a closed store with a vault', () => {
  it('closes its connections to the vault when the store closes', async () => {
    const vault = await startVault({ secrets: many });
    const url = `${vault.vaultUrl}:${vault.port}`;
    const child = spawn(
      process.execPath,
      [childFile(join(SUPPORT, 'key-vault-connections-child.ts')), url, await tokenFor(vault)],
      {
        env: { ...process.env, NODE_EXTRA_CA_CERTS: vault.environment.NODE_EXTRA_CA_CERTS },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    onTestFinished(() => void child.kill());
    vault.agent.destroy();
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('open');
    await waitFor(() => vault.openSockets > 0);
    child.stdin.write('close\n');
    expect((await lines.next()).value).toBe('closed');
    await waitFor(() => vault.openSockets === 0);
    child.stdin.write('end\n');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.each([
    ['while idle', undefined],
    ['while the vault hangs', { kind: 'hang-before-headers' }],
    ['while Entra ID hangs', { kind: 'hang-before-headers', at: 'entra' }],
    ['after a failed refresh', { kind: 'unavailable' }],
    ['while the vault throttles it', { kind: 'throttled', retryAfterSeconds: 30 }],
  ] as const)('keeps no timer and sends no request once the store is closed %s', async (_, fault) => {
    const vault = await startVault({ secrets: many });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    for (let round = 0; round < 3; round += 1) {
      const store = await SecretStore.open({ secrets: { key: 'key-0' }, sources: [sourceOf(vault)] });
      store.on('error', () => {});
      expect(vi.getTimerCount()).toBeGreaterThan(0);
      if (fault !== undefined) {
        const lift = vault.fail(fault);
        const ofEntra = 'at' in fault;
        if (ofEntra) vault.revokeTokens();
        const requests = requestsOf(vault);
        const refreshing = store.refresh();
        await vi.waitUntil(() => requests.at(ofEntra ? 'token' : 'key') > 0);
        if (fault.kind !== 'hang-before-headers') await refreshing;
        await store.close();
        await refreshing;
        lift();
      }
      await store.close();
      const requests = requestsOf(vault);
      await new Promise((resolve) => setImmediate(resolve));
      expect(vi.getTimerCount()).toBe(0);
      expect(requests.all).toEqual([]);
    }
  });
});
