import { memory, type Reading, SecretStore, type Source, secret } from 'hot-secrets';
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

/** Issues a certificate with `days` left, of a lifetime that is that much longer (300 days) by default. */
const issueFor = async (days: number, spentDays = 300): Promise<Issued> =>
  (await createAuthority()).issue({
    commonName: 'shop',
    notBefore: new Date(Date.now() - spentDays * DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
  });

async function openWith(
  { chain, key }: Issued,
  expiryThresholdsDays?: readonly number[],
  own?: readonly number[],
) {
  const source = memory({ 'tls.crt': chain, 'tls.key': key });
  const store = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }, { expiryThresholdsDays: own }) },
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

  it.each([
    ['24 hours', 1, [0.3, 0.1]],
    ['6 days', 6, [1.8, 0.6]],
    ['90 days', 90, [27, 9]],
  ] as const)('announces a certificate of %s by shares of its lifetime', async (_, lifetime, thresholds) => {
    const { store, told } = await openWith(await issueFor(lifetime, 0));
    await using _store = store;
    // Issuers renew with a third of the lifetime left, and the delivery takes a while.
    await vi.advanceTimersByTimeAsync(0.68 * lifetime * DAY_MS);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(0.31 * lifetime * DAY_MS);
    expect(told.map(([threshold]) => Math.round(threshold * 10) / 10)).toEqual(thresholds);
  });

  it('announces nothing for a certificate of 6 days that is replaced when a third of its lifetime is left', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { store, told, rotate } = await openWith(await issueFor(6, 0));
    await using _ = store;
    for (let round = 1; round <= 3; round += 1) {
      await vi.advanceTimersByTimeAsync(4.1 * DAY_MS);
      await rotate(await issueFor(6, 0));
    }
    expect([told, warn.mock.calls, store.generation]).toEqual([[], [], 4]);
  });

  it.each([
    ['thresholds of its own, of a certificate of 6 days', undefined, [2, 0.5], [2, 0.5]],
    ['thresholds of its own, in a store with others', [30, 7], [3], [3]],
    ['no thresholds of its own', undefined, [], []],
    ['no thresholds in the whole store', [], undefined, []],
    ['thresholds of a store, for what lives longer than 90 days', [30, 7], undefined, [1.8, 0.6]],
  ] as const)('announces an expiry at %s', async (_, ofStore, own, thresholds) => {
    const { store, told } = await openWith(await issueFor(6, 0), ofStore, own);
    await using _store = store;
    await vi.advanceTimersByTimeAsync(5.9 * DAY_MS);
    expect(told.map(([threshold]) => Math.round(threshold * 10) / 10)).toEqual(thresholds);
  });

  it.each([
    ['text', { expiryThresholdsDays: [-1] }],
    ['bytes', { expiryThresholdsDays: 30 }],
    ['json', { expiryThresholdsDays: ['30'] }],
    ['tls', { expiryThresholdsDays: [Number.NaN] }],
  ] as const)('refuses thresholds of secret.%s that are not days', (kind, options) => {
    const define = secret[kind] as (...args: unknown[]) => unknown;
    expect(() => define('name', ...(kind === 'json' ? [undefined] : []), options)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });

  it('announces no expiry after close', async () => {
    const { store, told } = await openWith(await issueFor(40));
    await store.close();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(50 * DAY_MS);
    expect(told).toEqual([]);
  });
});

/** A source whose values have dates. */
function dated(
  values: Record<string, { value: string; expiresOn?: Date; notBefore?: Date; createdOn?: Date }>,
) {
  const source: Source = {
    name: 'dated',
    location: '',
    async read({ lookups, list }) {
      const names = list ? Object.keys(values) : lookups.map(({ name }) => name);
      const readings = names.map((name): [string, Reading] => {
        const found = values[name];
        if (found === undefined) return [name, { status: 'missing', looked: name }];
        const { value, ...dates } = found;
        const attributes = { tags: {}, ...dates };
        return [name, { status: 'found', bytes: Buffer.from(value), origin: name, attributes }];
      });
      return { unchanged: false, readings: new Map(readings), revision: undefined };
    },
    inventory: async () => Object.keys(values),
  };
  return { source, values };
}

const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

describe('the dates of a value that is not a certificate', () => {
  it.each(['text', 'bytes', 'json'] as const)(
    'reports secret.%s as expired, everywhere, from its date on until it is replaced',
    async (kind) => {
      const { source, values } = dated({
        db: { value: '["first"]', expiresOn: inDays(2), createdOn: inDays(-300) },
      });
      const store = await SecretStore.open({ secrets: { db: secret[kind]('db') }, sources: [source] });
      await using _ = store;
      const log = record(store);
      expect(store.health().status).toBe('ok');
      await vi.advanceTimersByTimeAsync(2.1 * DAY_MS);
      expect(store.health()).toMatchObject({
        status: 'degraded',
        secrets: [{ name: 'db', problem: 'VALUE_EXPIRED' }],
        expiries: [{ name: 'db', what: 'secret', daysLeft: expect.closeTo(-0.1, 3) }],
      });
      expect(store.report().secrets[0]?.warnings).toEqual(['VALUE_EXPIRED']);
      expect(log.codes()).toEqual(['VALUE_EXPIRED']);
      values.db = { value: '["second"]', expiresOn: inDays(300) };
      await store.refresh();
      expect(store.health().status).toBe('ok');
      expect(log.recovered.map(({ code }) => code)).toEqual(['VALUE_EXPIRED']);
    },
  );

  it('serves a value that is expired when the store opens, and reports it', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { source } = dated({ db: { value: 'old', expiresOn: inDays(-1) } });
    await using store = await SecretStore.open({ secrets: { db: 'db' }, sources: [source] });
    expect([store.reveal('db'), store.health().status]).toEqual(['old', 'degraded']);
  });

  it('announces a value of 6 days by shares of its lifetime', async () => {
    const { source } = dated({ db: { value: 'v', createdOn: inDays(0), expiresOn: inDays(6) } });
    await using store = await SecretStore.open({ secrets: { db: 'db' }, sources: [source] });
    const told: number[] = [];
    store.on('expiring', ({ thresholdDays }) => told.push(Math.round(thresholdDays * 10) / 10));
    await vi.advanceTimersByTimeAsync(4 * DAY_MS);
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(1.9 * DAY_MS);
    expect(told).toEqual([1.8, 0.6]);
  });

  it.each([
    ['declared', { db: 'db', api: 'api' }],
    ['discovered', undefined],
  ])('keeps the last value of a %s name until the next is valid, while others rotate', async (_, secrets) => {
    const { source, values } = dated({ db: { value: 'today' }, api: { value: 'first' } });
    await using store = await SecretStore.open({ ...(secrets && { secrets }), sources: [source] } as object);
    const log = record(store);
    store.reveal('db');
    values.db = { value: 'next week', notBefore: inDays(7) };
    values.api = { value: 'second' };
    await store.refresh();
    expect([store.reveal('db'), store.reveal('api')]).toEqual(['today', 'second']);
    expect(log.codes()).toEqual(['VALUE_NOT_YET_VALID']);
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [{ name: 'db', problem: 'VALUE_NOT_YET_VALID' }],
    });
    await vi.advanceTimersByTimeAsync(7.1 * DAY_MS);
    await store.refresh();
    expect([store.reveal('db'), store.health().status]).toEqual(['next week', 'ok']);
    expect(log.codes()).toEqual(['VALUE_NOT_YET_VALID']);
  });

  it('does not open with a required value that is not valid yet', async () => {
    const { source } = dated({ db: { value: 'next week', notBefore: inDays(7) } });
    await expect(SecretStore.open({ secrets: { db: 'db' }, sources: [source] })).rejects.toMatchObject({
      code: 'VALUE_NOT_YET_VALID',
      secret: 'db',
    });
  });

  it('keeps the last pair until the certificate of the next is valid, while others rotate', async () => {
    const today = await issueFor(40);
    const later = await (await createAuthority()).issue({ notBefore: inDays(1), notAfter: inDays(100) });
    const source = memory({ web: today.chain + today.key, api: 'first' });
    await using store = await SecretStore.open({
      secrets: { web: secret.tls('web'), api: 'api' },
      sources: [source],
    });
    const log = record(store);
    source.set({ web: later.chain + later.key, api: 'second' });
    await store.refresh();
    expect([store.reveal('web').key, store.reveal('api')]).toEqual([today.key, 'second']);
    expect(log.codes()).toEqual(['CERTIFICATE_NOT_YET_VALID']);
    await vi.advanceTimersByTimeAsync(1.1 * DAY_MS);
    await store.refresh();
    expect([store.reveal('web').key, store.health().status]).toEqual([later.key, 'ok']);
  });
});

describe('trusted certificates', () => {
  it('reports trusted certificates when all of them are expired, and not while one is valid', async () => {
    const authority = await createAuthority();
    const trust = async (...days: number[]) =>
      (await Promise.all(days.map(async (one) => (await issueFor(one)).cert))).join('');
    const source = memory({ ca: (await trust(1)) + authority.cert });
    await using store = await SecretStore.open({
      secrets: { ca: secret.tls({ ca: 'ca' }) },
      sources: [source],
    });
    const log = record(store);
    store.on('expiring', () => {});
    await vi.advanceTimersByTimeAsync(2 * DAY_MS);
    expect(store.health()).toMatchObject({
      status: 'ok',
      expiries: [{ daysLeft: expect.closeTo(-1, 3) }, {}],
    });
    source.set({ ca: await trust(-1, -2) });
    await store.refresh();
    expect(store.health()).toMatchObject({
      status: 'degraded',
      secrets: [{ name: 'ca', problem: 'CERTIFICATE_EXPIRED' }],
    });
    expect(log.codes()).toEqual(['CERTIFICATE_EXPIRED']);
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
