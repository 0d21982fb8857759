import { memory, mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { openStore, refusal, requestsOf, retryQuickly, sourceOf } from '../support/key-vault-stage';
import { simulateTime } from '../support/simulated-time';
import { waitFor } from '../support/wait-for';

const NAMES = { key: 'key' };

/** Records unhandled rejections until the test ends. */
function unhandled(): readonly unknown[] {
  const reasons: unknown[] = [];
  const listener = (reason: unknown) => reasons.push(reason);
  process.on('unhandledRejection', listener);
  onTestFinished(() => {
    process.off('unhandledRejection', listener);
  });
  return reasons;
}

describe('an outage of Entra ID', () => {
  it('keeps serving the last value through half an hour without Entra ID, and recovers within 17 s', async () => {
    const vault = await startVault({ secrets: { key: 'value-0' }, tokenLifetimeMs: 600_000 });
    const rejections = unhandled();
    const { pass, sourceOf } = simulateTime(vault);
    const { store, log } = await openStore(NAMES, sourceOf({ refreshIntervalMs: 60_000 }));
    await pass(90);

    const lift = vault.fail({ at: 'entra', kind: 'unavailable' });
    const requests = requestsOf(vault);
    await vault.set('key', 'value-1');
    await pass(120);
    expect(store.reveal('key'), 'the token is still valid').toBe('value-1');
    await pass(240);
    expect(
      requests.at('token 503'),
      'the source requests a new token before the old one expires',
    ).toBeGreaterThan(0);
    expect(log.errors, 'a failed early request is no error').toEqual([]);

    await pass(200);
    await vault.set('key', 'value-2');
    await pass(1_800 - 560);
    expect(store.reveal('key')).toBe('value-1');
    expect(log.errors).toMatchObject([
      { code: 'IDENTITY_FAILED', what: 'Entra ID issued no token: AADSTS90033' },
    ]);
    expect(store.health().status).toBe('stale');
    // Full jitter over 16 s means a request every 8 s on average.
    expect(requests.at('token 503')).toBeGreaterThan(60);
    expect(requests.at('token 503')).toBeLessThan(300);

    lift();
    await pass(17);
    expect(store.reveal('key')).toBe('value-2');
    expect(log.recovered.map(({ code }) => code)).toEqual(['IDENTITY_FAILED']);
    expect(store.health().status).toBe('ok');
    expect(rejections).toEqual([]);
  });

  it('opens a store although one request to Entra ID fails', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    retryQuickly();
    for (const kind of ['unavailable', 'throttled', 'reset', 'empty-body', 'bad-json'] as const) {
      vault.fail({ at: 'entra', kind, times: 1 });
      const { store } = await openStore(NAMES, sourceOf(vault));
      expect(store.reveal('key')).toBe('value');
    }
  });
});

describe('an outage of the vault', () => {
  it('keeps serving the last value through an outage of an hour, and recovers within 17 s', async () => {
    const vault = await startVault({ secrets: { key: 'value-0' } });
    const rejections = unhandled();
    const { pass, sourceOf } = simulateTime(vault);
    const { store, log } = await openStore(NAMES, sourceOf());
    const lift = vault.fail({ kind: 'unavailable' });
    await vault.set('key', 'value-1');
    await pass(3_600);
    expect(store.reveal('key')).toBe('value-0');
    expect(log.codes()).toEqual(['VAULT_UNAVAILABLE']);
    expect(store.health().status).toBe('stale');
    lift();
    await pass(17);
    expect(store.reveal('key')).toBe('value-1');
    expect(log.recovered).toHaveLength(1);
    expect(rejections).toEqual([]);
  });

  it('opens a store although two requests to the vault fail', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    retryQuickly();
    for (const kind of ['unavailable', 'throttled', 'reset', 'empty-body', 'bad-json'] as const) {
      vault.fail({ kind, times: 2 });
      const { store, log } = await openStore(NAMES, sourceOf(vault));
      expect(store.reveal('key')).toBe('value');
      expect(log.errors).toEqual([]);
    }
  });

  it.each(['unavailable', 'hang-before-headers', 'reset'] as const)(
    'rejects open after startTimeoutMs while the vault fails (%s)',
    async (kind) => {
      const vault = await startVault({ secrets: { key: 'value' } });
      vault.fail({ kind });
      const start = performance.now();
      const hangs = kind === 'hang-before-headers';
      const source = sourceOf(vault, { startTimeoutMs: 2_000, ...(hangs ? { requestTimeoutMs: 300 } : {}) });
      const error = await refusal(NAMES, source, memory({ key: 'of memory' }));
      expect(performance.now() - start).toBeGreaterThan(1_900);
      expect(performance.now() - start).toBeLessThan(10_000);
      const code = hangs ? 'VAULT_TIMEOUT' : 'VAULT_UNAVAILABLE';
      expect(error).toMatchObject({ code, message: expect.stringContaining(vault.vaultUrl) });
    },
  );

  it('opens a store without the vault when the mount has all required secrets, and adds the others later', async () => {
    const vault = await startVault({ secrets: { later: 'of the vault' } });
    await using mount = await createTestMount({ key: 'of the mount' });
    const lift = vault.fail({ kind: 'unavailable' });
    const secrets = { key: 'key', later: secret.text('later').optional() };
    const source = sourceOf(vault, { startTimeoutMs: 500 });
    const { store, log } = await openStore(secrets, mountedFiles(mount.path), source);
    expect([store.reveal('key'), store.reveal('later')]).toEqual(['of the mount', undefined]);
    expect(store.health().status).toBe('degraded');
    lift();
    await waitFor(() => store.reveal('later') === 'of the vault', { timeoutMs: 20_000 });
    expect(log.changes).toMatchObject([{ trigger: 'retry', changes: [{ name: 'later', kind: 'added' }] }]);
    expect(store.health().status).toBe('ok');
  });

  it.each(['unavailable', 'hang-before-headers'] as const)(
    'keeps following the mount while the vault fails (%s)',
    async (kind) => {
      const vault = await startVault({ secrets: { vaulted: 'v-0' } });
      await using mount = await createTestMount({ mounted: 'm-0' });
      const secrets = { mounted: 'mounted', vaulted: 'vaulted' };
      const { store, log } = await openStore(secrets, mountedFiles(mount.path), sourceOf(vault));
      vault.fail({ kind });
      const requests = requestsOf(vault);
      const refreshing = store.refresh();
      await waitFor(() => requests.all.length > 0);
      for (const round of [1, 2, 3]) {
        await mount.rotate({ mounted: `m-${round}` });
        await waitFor(() => store.reveal('mounted') === `m-${round}`, { timeoutMs: 1_000 });
      }
      await refreshing;
      expect(store.reveal('vaulted')).toBe('v-0');
      expect(log.codes()).toEqual([kind === 'unavailable' ? 'VAULT_UNAVAILABLE' : 'VAULT_TIMEOUT']);
    },
  );

  it('rejects open in discovery while the vault fails', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    vault.fail({ kind: 'unavailable' });
    const source = sourceOf(vault, { list: true, startTimeoutMs: 2_000 });
    const opening = SecretStore.open({ sources: [source, memory({ other: 'value' })] });
    await expect(opening).rejects.toMatchObject({ code: 'VAULT_UNAVAILABLE' });
  });
});
