import { SecretStore } from 'hot-secrets';
import { describe, expect, it } from 'vitest';
import { startVault } from '../support/key-vault-clients';
import { openStore, requestsOf, sourceOf } from '../support/key-vault-stage';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

const NAMES = { key: 'key' };
/** The default of requestTimeoutMs. */
const DEFAULT_MS = 5_000;

async function msOf(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return performance.now() - start;
}

describe('requestTimeoutMs', () => {
  it.each(['hang-before-headers', 'hang-in-body'] as const)(
    'ends a hanging vault request and its connection after requestTimeoutMs (%s)',
    async (kind) => {
      const vault = await startVault({ secrets: { key: 'value' } });
      const { store, log } = await openStore(NAMES, sourceOf(vault, { requestTimeoutMs: 500 }));
      const sockets = vault.openSockets;
      const lift = vault.fail({ kind });
      for (let round = 0; round < 3; round += 1)
        expect(await msOf(store.refresh())).toBeLessThan(DEFAULT_MS / 2);
      await waitFor(() => vault.openSockets < sockets);
      lift();
      await waitFor(() => log.recovered.length === 1);
      expect(log.errors.map(({ what }) => what)).toEqual([
        `the vault ${vault.vaultUrl} did not answer within 500 ms`,
      ]);
    },
  );

  it.each(['hang-before-headers', 'hang-in-body'] as const)(
    'ends a hanging token request and its connection after requestTimeoutMs (%s)',
    async (kind) => {
      const vault = await startVault({ secrets: { key: 'value' } });
      const { store, log } = await openStore(NAMES, sourceOf(vault, { requestTimeoutMs: 500 }));
      vault.revokeTokens();
      const sockets = vault.openSockets;
      const lift = vault.fail({ at: 'entra', kind });
      for (let round = 0; round < 3; round += 1)
        expect(await msOf(store.refresh())).toBeLessThan(DEFAULT_MS / 2);
      await waitFor(() => vault.openSockets <= sockets);
      expect(log.errors).toMatchObject([
        {
          code: 'VAULT_TIMEOUT',
          what: 'Entra ID issued no token within 500 ms',
          next: expect.stringContaining('login.microsoftonline.com'),
        },
      ]);
      lift();
      await waitFor(() => log.recovered.length === 1);
    },
  );

  it('stops waiting for a credential that never answers', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const credential = { getToken: () => new Promise<never>(() => {}) };
    const source = sourceOf(vault, { credential, requestTimeoutMs: 100, startTimeoutMs: 1_000 });
    const opening = SecretStore.open({ secrets: NAMES, sources: [source] });
    expect(await msOf(expect(opening).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' }))).toBeLessThan(2_000);
  });

  it('applies requestTimeoutMs to each page of a list', async () => {
    const secrets = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`key-${index}`, 'value']));
    const vault = await startVault({ secrets, pageSize: 1, emptyPages: 0 });
    const store = await SecretStore.open({
      sources: [sourceOf(vault, { list: true, requestTimeoutMs: 500 })],
    });
    await using _ = store;
    const log = record(store);
    const slow = vault.fail({ kind: 'slow', delayMs: 50 });
    const sockets = vault.openSockets;
    const requests = requestsOf(vault);
    const refreshing = store.refresh();
    await waitFor(() => requests.at('list') >= 3);
    slow();
    vault.fail({ kind: 'hang-before-headers' });
    expect(await msOf(refreshing)).toBeLessThan(DEFAULT_MS / 2);
    expect(log.codes()).toEqual(['VAULT_TIMEOUT']);
    expect(requests.all.filter((one) => !one.startsWith('list'))).toEqual([]);
    await waitFor(() => vault.openSockets < sockets);
    expect(store.reveal('key-0')).toBe('value');
  });
});

describe('refreshTimeoutMs', () => {
  const secrets = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`key-${index}`, 'value']));
  const names = Object.fromEntries(Object.keys(secrets).map((name) => [name, name]));

  it('ends a refresh after refreshTimeoutMs, names the option, and sends no more requests', async () => {
    const vault = await startVault({ secrets });
    const { store, log } = await openStore(names, sourceOf(vault, { refreshTimeoutMs: 300, concurrency: 2 }));
    vault.fail({ kind: 'slow', delayMs: 100 });
    const requests = requestsOf(vault);
    expect(await msOf(store.refresh())).toBeLessThan(DEFAULT_MS);
    expect(log.errors).toMatchObject([
      {
        code: 'VAULT_TIMEOUT',
        what: `refreshing the vault ${vault.vaultUrl} took longer than 300 ms`,
        next: expect.stringContaining('Raise refreshTimeoutMs, or concurrency'),
      },
    ]);
    const sent = requests.all.length;
    expect(sent).toBeLessThan(8);
    // Two may have been on their way. The next request after them is the retry, which comes within a second.
    await new Promise((resolve) => setImmediate(resolve));
    expect(requests.all.length).toBeLessThanOrEqual(sent + 2);
  });

  it('ends a hanging refresh when the store closes', async () => {
    const vault = await startVault({ secrets });
    const { store } = await openStore(names, sourceOf(vault));
    vault.fail({ kind: 'hang-before-headers' });
    const refreshing = store.refresh();
    const requests = requestsOf(vault);
    await waitFor(() => requests.all.length > 0);
    expect(await msOf(Promise.all([store.close(), store.close(), refreshing]))).toBeLessThan(1_000);
    expect(requests.all).toHaveLength(1);
  });
});

describe('a throttled vault', () => {
  it('sends a throttled vault no request until Retry-After, even for refresh(), and then reads it again', async () => {
    const vault = await startVault({ secrets: { key: 'value-0', other: 'value' } });
    const { store, log } = await openStore({ ...NAMES, other: 'other' }, sourceOf(vault));
    for (const round of [1, 2, 3]) {
      await vault.set('key', `value-${round}`);
      vault.fail({ kind: 'throttled', times: 1, retryAfterSeconds: 1 });
      const requests = requestsOf(vault);
      const start = performance.now();
      await store.refresh();
      for (let more = 0; more < 5; more += 1) await store.refresh();
      expect(requests.all).toEqual(['key 429']);
      expect(log.codes()).toHaveLength(round);
      expect(store.report().sources[0]?.note).toMatch(/^throttled: requests pause for \d+ s$/);
      expect(store.reveal('key')).toBe(`value-${round - 1}`);
      await waitFor(() => requests.all.length > 1);
      expect(performance.now() - start).toBeGreaterThan(950);
      await waitFor(() => store.reveal('key') === `value-${round}`);
    }
    expect(log.recovered.map(({ code }) => code)).toEqual(Array(3).fill('VAULT_THROTTLED'));
    expect(log.changes.map(({ trigger }) => trigger)).toEqual(['retry', 'retry', 'retry']);
  });

  it('waits about a minute at most, even if Retry-After is longer', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const { store } = await openStore(NAMES, sourceOf(vault));
    vault.fail({ kind: 'throttled', times: 1, retryAfterSeconds: 3_600 });
    await store.refresh();
    const seconds = Number(/(\d+) s$/.exec(store.report().sources[0]?.note ?? '')?.[1]);
    // A minute plus at most the first step of the backoff, so that processes do not all return at once.
    expect(seconds).toBeGreaterThanOrEqual(59);
    expect(seconds).toBeLessThanOrEqual(62);
  });

  it('sends a throttled vault no request after a 429 for a page of a list', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    const store = await SecretStore.open({ sources: [sourceOf(vault, { list: true })] });
    await using _ = store;
    store.on('error', () => {});
    vault.fail({ kind: 'throttled', times: 1, retryAfterSeconds: 30 });
    const requests = requestsOf(vault);
    await store.refresh();
    await store.refresh();
    expect(requests.all).toEqual(['list 429']);
  });

  it('opens a store once a throttled vault answers again', async () => {
    const vault = await startVault({ secrets: { key: 'value' } });
    vault.fail({ kind: 'throttled', times: 2, retryAfterSeconds: 1 });
    const requests = requestsOf(vault);
    const opening = openStore(NAMES, sourceOf(vault));
    expect(await msOf(opening)).toBeGreaterThan(2_000);
    expect((await opening).store.reveal('key')).toBe('value');
    expect(requests.all).toEqual(['key 401', 'token 200', 'key 429', 'key 429', 'key 200']);
  });

  it('keeps reading another vault while one is throttled', async () => {
    const [one, two] = [
      await startVault({ secrets: { key: 'a' } }),
      await startVault({ name: 'second', secrets: { other: 'b' } }),
    ];
    const { store } = await openStore({ ...NAMES, other: 'other' }, sourceOf(one), sourceOf(two));
    one.fail({ kind: 'throttled', times: 1, retryAfterSeconds: 30 });
    await store.refresh();
    const requests = [requestsOf(one), requestsOf(two)];
    await two.set('other', 'rotated');
    await store.refresh();
    expect(requests.map(({ all }) => all.length)).toEqual([0, expect.any(Number)]);
    expect(store.reveal('other')).toBe('rotated');
  });
});
