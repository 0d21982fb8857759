import { memory, SecretStore, secret } from 'hot-secrets';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthority, type Issued } from '../../support/certificates';
import { record } from '../../support/store-log';

const DAY_MS = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.now() });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const issueFor = async (days: number): Promise<Issued> =>
  (await createAuthority()).issue({ commonName: 'shop', notAfter: new Date(Date.now() + days * DAY_MS) });

async function openWith({ chain, key }: Issued, expiryThresholdsDays?: readonly number[]) {
  const source = memory({ 'tls.crt': chain, 'tls.key': key });
  const store = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
    sources: [source],
    ...(expiryThresholdsDays === undefined ? {} : { expiryThresholdsDays }),
  });
  const told: [threshold: number, daysLeft: number][] = [];
  store.on('expiring', ({ thresholdDays, daysLeft }) =>
    told.push([thresholdDays, Math.round(daysLeft * 10) / 10]),
  );
  const rotate = async (next: Issued) => {
    source.set({ 'tls.crt': next.chain, 'tls.key': next.key });
    await store.refresh();
  };
  return { store, told, log: record(store), rotate };
}

describe('the days that a certificate has left', () => {
  it('lists the expiries of certificates in health, the earliest first', async () => {
    const { chain, key } = await issueFor(12);
    const trusted = (await createAuthority()).cert;
    await using store = await SecretStore.open({
      secrets: { trust: secret.tls({ ca: 'ca.crt' }), web: secret.tls('web') },
      sources: [memory({ web: chain + key, 'ca.crt': trusted })],
      expiryThresholdsDays: [],
    });
    const { expiries, status } = store.health();
    expect(status).toBe('ok');
    expect(expiries.map(({ name, what, subject }) => [name, what, subject])).toEqual([
      ['web', 'leaf', 'shop'],
      ['trust', 'ca', 'Test Authority'],
    ]);
    expect(expiries[0]?.daysLeft).toBeCloseTo(12, 3);
    expect(expiries[0]?.expiresAt.getTime()).toBe(Math.floor((Date.now() + 12 * DAY_MS) / 1000) * 1000);
  });

  it('announces an expiry once per threshold, and reports an expired certificate as an error', async () => {
    const { store, told, log } = await openWith(await issueFor(40));
    await using _ = store;
    const days = async (count: number) => vi.advanceTimersByTimeAsync(count * DAY_MS);
    await days(9.9);
    expect(told).toEqual([]);
    await days(0.2);
    await store.refresh();
    expect(told).toEqual([[30, 30]]);
    await days(23.5);
    expect(told.map(([threshold]) => threshold)).toEqual([30, 14, 7]);
    await days(6);
    expect(told.map(([threshold]) => threshold)).toEqual([30, 14, 7, 1]);
    expect(log.codes()).toEqual([]);
    await days(1);
    expect(log.codes()).toEqual(['CERTIFICATE_EXPIRED']);
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [{ name: 'web', problem: 'CERTIFICATE_EXPIRED' }],
    });
    expect(store.report().secrets[0]).toMatchObject({
      problem: undefined,
      warnings: ['CERTIFICATE_EXPIRED'],
    });
    expect(store.reveal('web').leaf.subject).toContain('shop');
  });

  it('announces the thresholds of the next certificate again, and reports recovery', async () => {
    const { store, told, log, rotate } = await openWith(await issueFor(2), [1]);
    await using _ = store;
    for (let round = 1; round <= 3; round += 1) {
      await vi.advanceTimersByTimeAsync(2.1 * DAY_MS);
      expect(told).toHaveLength(round);
      expect(store.health().status).toBe('degraded');
      await rotate(await issueFor(2));
      expect(store.health().status).toBe('ok');
      expect(log.recovered.map(({ code }) => code)).toEqual(Array(round).fill('CERTIFICATE_EXPIRED'));
    }
    expect(log.codes()).toEqual(Array(3).fill('CERTIFICATE_EXPIRED'));
  });

  it('emits a process warning at open for a certificate that expires soon, without a listener', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { store } = await openWith(await issueFor(5));
    await store.close();
    expect(warn.mock.calls.map(([message, options]) => [message, options])).toEqual([
      [
        expect.stringMatching(/^the certificate of "web" expires at .*, in 5\.0 days\. Renew it/),
        { type: 'HotSecretsWarning', code: 'VALUE_EXPIRING' },
      ],
    ]);
  });

  it('announces no expiry after close', async () => {
    const { store, told } = await openWith(await issueFor(40));
    await store.close();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(50 * DAY_MS);
    expect(told).toEqual([]);
  });
});

describe('a store', () => {
  it('keeps serving a good pair through every kind of bad one, and takes the next good one', async () => {
    const { store, log, rotate } = await openWith(await issueFor(40));
    await using _ = store;
    const good = store.reveal('web');
    const next = await issueFor(40);
    for (const bad of [
      { chain: next.chain, key: (await issueFor(1)).key },
      await issueFor(-1),
      { chain: next.chain.slice(0, 300), key: next.key },
      { chain: 'garbage', key: next.key },
      { chain: '', key: '' },
    ]) {
      await rotate({ cert: '', ...bad });
      expect(store.reveal('web')).toBe(good);
    }
    expect(log.codes()).toEqual([
      'PRIVATE_KEY_MISMATCH',
      'CERTIFICATE_EXPIRED',
      'CERTIFICATE_INVALID',
      'CERTIFICATE_INVALID',
      'VALUE_EMPTY',
    ]);
    await rotate(next);
    expect(store.reveal('web').key).toBe(next.key);
    expect(store.generation).toBe(2);
    expect(store.health().status).toBe('ok');
  });

  it('masks a private key whole, in JSON and line by line, and leaves the certificate readable', async () => {
    const issued = await issueFor(40);
    const { store } = await openWith(issued);
    await using _ = store;
    const { cert = '', key = '' } = store.reveal('web');
    const lines = key.split('\n').filter((line) => /^[A-Za-z0-9+/=]{6,}$/.test(line));
    expect(lines.length).toBeGreaterThan(2);
    for (const said of [key, JSON.stringify({ key }), ...lines]) {
      const shown = store.redact(`before ${said} after`);
      expect(shown).toContain('[secret web]');
      for (const line of lines) expect(shown).not.toContain(line);
    }
    expect(store.redact(cert)).toBe(cert);
  });
});
