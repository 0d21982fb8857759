import { inspect } from 'node:util';
import { SecretStore, type SecretsError } from 'hot-secrets';
import { token } from 'hot-secrets/tokens';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';

const HOUR_MS = 3_600_000;

beforeEach(() => {
  const toFake = [
    'Date',
    'performance',
    'setTimeout',
    'clearTimeout',
    'setInterval',
    'clearInterval',
  ] as const;
  vi.useFakeTimers({ toFake: [...toFake] });
  return () => vi.useRealTimers();
});

/** Simulated time passes in steps, between which stores make their generations. */
async function pass(ms: number, stepMs = Math.max(1, ms / 200)): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs)
    await vi.advanceTimersByTimeAsync(Math.min(stepMs, ms - passed));
}

/** Lets time pass until the work settles. The first store loads modules, for which simulated time does not wait. */
async function during<T>(work: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  while (!settled) {
    await vi.advanceTimersByTimeAsync(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}

/** An issuer that numbers its tokens. */
function issuer(lifetimeMs = HOUR_MS) {
  const state = {
    asked: 0,
    askedAt: [] as number[],
    down: false,
    hangs: false,
    active: 0,
    mostActive: 0,
    lifetimeMs,
    fetch: async ({ signal }: { readonly signal: AbortSignal }) => {
      state.asked += 1;
      state.askedAt.push(performance.now());
      const { asked } = state;
      state.active += 1;
      state.mostActive = Math.max(state.mostActive, state.active);
      try {
        await new Promise((resolve, reject) => {
          setTimeout(resolve, 50);
          if (state.hangs) signal.addEventListener('abort', () => reject(new Error('hung')));
        });
        if (state.hangs) await new Promise((_, reject) => signal.addEventListener('abort', reject));
        if (state.down) throw Object.assign(new Error('the issuer said token-secret'), { status: 503 });
        return { token: `token-secret-${asked}`, expiresInMs: state.lifetimeMs };
      } finally {
        state.active -= 1;
      }
    },
  };
  return state;
}

type Store = Awaited<ReturnType<typeof opened>>['store'];

async function opened(source: ReturnType<typeof token>, name = 'secrets') {
  const errors: string[] = [];
  const recovered: string[] = [];
  const expiring: number[] = [];
  const opening = SecretStore.open({
    name,
    secrets: { dbToken: 'db-token' },
    sources: [source],
    on: {
      error: (error) => errors.push(error.code),
      recovered: (error) => recovered.push(error.code),
      expiring: ({ daysLeft }) => expiring.push(daysLeft),
    },
  });
  const store = await during(opening);
  onTestFinished(() => store.close());
  return { store, errors, recovered, expiring };
}

const codesOf = (store: Store) => store.health().secrets.map(({ problem }) => problem);
const sourceCodes = (store: Store) =>
  store.health().sources.flatMap(({ problems }) => problems.map(({ code }) => code));

describe('a token', () => {
  it('replaces a token between half and two thirds of its lifetime, at a random moment', async () => {
    const moments: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      const issued = issuer();
      const { store } = await opened(token('db-token', { fetch: issued.fetch }));
      const [first] = issued.askedAt as [number];
      while (issued.asked < 2) await pass(30_000, 30_000);
      moments.push(((issued.askedAt[1] as number) - first) / HOUR_MS);
      await store.close();
    }
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(0.5);
    expect(Math.max(...moments)).toBeLessThan(0.68);
    expect(Math.max(...moments) - Math.min(...moments)).toBeGreaterThan(0.05);
  });

  it('serves each new token, and never an old one for longer than its lifetime', async () => {
    const issued = issuer(60_000);
    const { store, errors, expiring } = await opened(token('db-token', { fetch: issued.fetch }));
    const seen = new Set<string>();
    for (let second = 0; second < 600; second += 1) {
      await pass(1_000, 250);
      const { expiresOn } = store.get('dbToken').attributes;
      expect((expiresOn as Date).getTime()).toBeGreaterThan(Date.now());
      seen.add(store.reveal('dbToken'));
    }
    expect(seen.size).toBeGreaterThanOrEqual(15);
    expect([...errors, ...expiring]).toEqual([]);
    expect(issued.mostActive).toBe(1);
  });

  it('serves the last token to its end while the issuer fails, and reports the failure once', async () => {
    const issued = issuer();
    const { store, errors, recovered, expiring } = await opened(token('db-token', { fetch: issued.fetch }));
    issued.down = true;
    await pass(HOUR_MS - 1_000);
    expect(store.reveal('dbToken')).toBe('token-secret-1');
    expect(errors).toEqual(['TOKEN_FAILED']);
    expect(sourceCodes(store)).toEqual(['TOKEN_FAILED']);
    expect(codesOf(store)).toEqual([]);
    expect(store.health().status).toBe('degraded');
    // At three tenths and at one tenth of the lifetime.
    expect(expiring.map((days) => Math.round(days * 24 * 60))).toEqual([18, 6]);
    await pass(2_000);
    expect(errors).toEqual(['TOKEN_FAILED', 'VALUE_EXPIRED']);
    expect(codesOf(store)).toEqual(['VALUE_EXPIRED']);
    issued.down = false;
    await pass(31_000);
    expect(store.reveal('dbToken')).not.toBe('token-secret-1');
    expect(store.health().status).toBe('ok');
    expect(recovered.sort()).toEqual(['TOKEN_FAILED', 'VALUE_EXPIRED']);
  });

  it('retries with backoff of up to 30 s, and of up to a twentieth of a short lifetime', async () => {
    for (const [lifetimeMs, longest] of [
      [HOUR_MS, 30_000],
      [40_000, 2_000],
    ] as const) {
      const issued = issuer(lifetimeMs);
      const { store } = await opened(token('db-token', { fetch: issued.fetch }));
      issued.down = true;
      await pass(lifetimeMs, lifetimeMs / 2_000);
      const [, ...retries] = issued.askedAt;
      const waits = retries.slice(1).map((at, index) => at - (retries[index] as number));
      expect(waits.length).toBeGreaterThan(10);
      expect(Math.max(...waits)).toBeLessThanOrEqual(longest + lifetimeMs / 1_000 + 60);
      await store.close();
    }
  });

  it('shares one request and one token between stores', async () => {
    const issued = issuer();
    const source = token('db-token', { fetch: issued.fetch });
    const opening = Promise.all(
      ['one', 'two', 'three'].map((name) =>
        SecretStore.open({ name, secrets: { dbToken: 'db-token' }, sources: [source] }),
      ),
    );
    const stores = await during(opening);
    expect(issued.asked).toBe(1);
    await pass(HOUR_MS * 0.7);
    expect(issued.asked).toBe(2);
    expect(stores.map((store) => store.reveal('dbToken'))).toEqual(Array(3).fill('token-secret-2'));
    await stores[0]?.close();
    await stores[1]?.close();
    await pass(HOUR_MS * 0.7);
    expect(stores[2]?.reveal('dbToken')).toBe('token-secret-3');
    await stores[2]?.close();
    expect(vi.getTimerCount()).toBe(0);
    await pass(HOUR_MS);
    expect(issued.asked).toBe(3);
  });

  it('opens a store that comes later with the shared token, and after all have closed with a new one', async () => {
    const issued = issuer();
    const source = token('db-token', { fetch: issued.fetch });
    const first = await opened(source, 'first');
    const second = await opened(source, 'second');
    expect(second.store.reveal('dbToken')).toBe(first.store.reveal('dbToken'));
    await first.store.close();
    await second.store.close();
    const third = await opened(source, 'third');
    expect(third.store.reveal('dbToken')).toBe('token-secret-2');
  });

  it('opens a store with the shared token while the issuer fails, and reports the failure to it', async () => {
    const issued = issuer();
    const source = token('db-token', { fetch: issued.fetch });
    await opened(source, 'first');
    issued.down = true;
    await pass(HOUR_MS * 0.7);
    const second = await opened(source, 'second');
    expect(second.store.reveal('dbToken')).toBe('token-secret-1');
    expect(second.errors).toEqual(['TOKEN_FAILED']);
  });

  it('waits for the first token while its issuer fails, and opens when it comes', async () => {
    const issued = issuer();
    issued.down = true;
    const opening = SecretStore.open({
      secrets: { dbToken: 'db-token' },
      sources: [token('db-token', { fetch: issued.fetch })],
    });
    await pass(10_000, 50);
    issued.down = false;
    const store = await during(opening);
    expect(store.reveal('dbToken')).toMatch(/^token-secret-/);
    await store.close();
  });

  it.each(['fails', 'hangs'])('rejects the open within startTimeoutMs when the issuer %s', async (how) => {
    const issued = issuer();
    issued.down = how === 'fails';
    issued.hangs = how === 'hangs';
    const source = token('db-token', { fetch: issued.fetch, startTimeoutMs: 7_000, requestTimeoutMs: 2_000 });
    const opening = SecretStore.open({ secrets: { dbToken: 'db-token' }, sources: [source] });
    const error = opening.then(
      () => undefined,
      (rejected: SecretsError) => rejected,
    );
    let settled = false;
    error.then(() => {
      settled = true;
    });
    await pass(6_500, 50);
    expect(settled).toBe(false);
    await pass(600, 50);
    const code = how === 'fails' ? 'TOKEN_FAILED' : 'TOKEN_TIMEOUT';
    expect(await error).toMatchObject({ code, secret: 'dbToken', source: 'token' });
    expect(inspect(await error, { showHidden: true })).not.toContain('token-secret');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('requests a new token for refresh(), but not again within 30 s', async () => {
    const issued = issuer();
    const { store } = await opened(token('db-token', { fetch: issued.fetch }));
    for (const [waitMs, expected] of [
      [29_000, 'token-secret-1'],
      [2_000, 'token-secret-2'],
      [5_000, 'token-secret-2'],
      [30_000, 'token-secret-3'],
    ] as const) {
      await pass(waitMs);
      await during(store.refresh());
      expect(store.reveal('dbToken')).toBe(expected);
    }
  });

  it('keeps the token when refresh() asks an issuer that fails', async () => {
    const issued = issuer();
    const { store, errors } = await opened(token('db-token', { fetch: issued.fetch }));
    await pass(60_000);
    issued.down = true;
    await during(store.refresh());
    expect(store.reveal('dbToken')).toBe('token-secret-1');
    expect(errors).toEqual(['TOKEN_FAILED']);
    expect(codesOf(store)).toEqual([]);
  });

  it('replaces a token that its issuer keeps returning as soon as there is another', async () => {
    const issued = issuer();
    const cached = { token: 'cached', expiresAt: new Date(Date.now() + HOUR_MS) };
    // As credentials of Azure do: five minutes before the end.
    const source = token('db-token', {
      async fetch(request) {
        return cached.expiresAt.getTime() - Date.now() > 300_000 ? cached : issued.fetch(request);
      },
    });
    const { store, errors } = await opened(source);
    await pass(HOUR_MS - 301_000);
    expect(store.reveal('dbToken')).toBe('cached');
    await pass(240_000);
    expect(store.reveal('dbToken')).toBe('token-secret-1');
    expect(errors).toEqual([]);
  });

  it('ignores jumps of the date, and notices a machine that slept', async () => {
    const issued = issuer();
    const { store, errors } = await opened(token('db-token', { fetch: issued.fetch }));
    vi.setSystemTime(Date.now() - 12 * HOUR_MS);
    await pass(HOUR_MS * 0.7);
    expect(store.reveal('dbToken')).toBe('token-secret-2');
    // Timers stand still during a sleep, the date does not.
    vi.setSystemTime(Date.now() + 12 * HOUR_MS);
    await pass(31_000);
    expect(store.reveal('dbToken')).toBe('token-secret-3');
    expect(errors).toEqual([]);
  });

  it('shows its end in health() and report()', async () => {
    const { store } = await opened(token('db-token', { fetch: issuer().fetch }));
    const [expiry] = store.health().expiries;
    expect(expiry).toMatchObject({ name: 'dbToken', what: 'secret' });
    expect((expiry?.daysLeft as number) * 24).toBeCloseTo(1, 2);
    const note = `the token expires at ${expiry?.expiresAt.toISOString()}`;
    expect(store.report().sources[0]).toMatchObject({ source: 'token', status: 'ok', note });
  });

  it('lets other sources serve the other secrets while the issuer of an optional token fails', async () => {
    const issued = issuer();
    issued.down = true;
    const { memory, secret } = await import('hot-secrets');
    const opening = SecretStore.open({
      secrets: { dbToken: secret.text('db-token').optional(), apiKey: 'api-key' },
      sources: [
        token('db-token', { fetch: issued.fetch, startTimeoutMs: 1_000 }),
        memory({ 'api-key': 'key' }),
      ],
      on: { error: () => {} },
    });
    await pass(3_000, 50);
    const store = await opening;
    expect(store.reveal('apiKey')).toBe('key');
    expect(store.reveal('dbToken')).toBeUndefined();
    issued.down = false;
    await pass(60_000, 250);
    expect(store.reveal('dbToken')).toMatch(/^token-secret-/);
    expect(store.health().status).toBe('ok');
    await store.close();
  });
});

describe('what fetch returns', () => {
  it.each([
    ['nothing', () => undefined],
    ['a string', () => 'token-secret'],
    ['no token', () => ({ expiresInMs: 1_000 })],
    ['an empty token', () => ({ token: '', expiresInMs: 1_000 })],
    ['a number as token', () => ({ token: 5, expiresInMs: 1_000 })],
    ['empty bytes', () => ({ token: new Uint8Array(0), expiresInMs: 1_000 })],
    ['no end', () => ({ token: 'token-secret' })],
    [
      'two ends',
      () => ({ token: 'token-secret', expiresInMs: 1_000, expiresAt: new Date(Date.now() + 1_000) }),
    ],
    ['an invalid date', () => ({ token: 'token-secret', expiresAt: new Date('soon') })],
    ['a number as date', () => ({ token: 'token-secret', expiresAt: Date.now() + 1_000 })],
    ['an end without end', () => ({ token: 'token-secret', expiresInMs: Number.POSITIVE_INFINITY })],
    ['a text as duration', () => ({ token: 'token-secret', expiresInMs: '3600' })],
    ['a negative duration', () => ({ token: 'token-secret', expiresInMs: -1 })],
    ['an end in the past', () => ({ token: 'token-secret', expiresAt: new Date(Date.now() - 1) })],
    ['seconds as milliseconds', () => ({ token: 'token-secret', expiresAt: new Date(1_764_000_000) })],
  ])('refuses %s at once, without showing it', async (_, fetch) => {
    const opening = SecretStore.open({
      secrets: { dbToken: 'db-token' },
      sources: [token('db-token', { fetch: fetch as never })],
    });
    const error = await opening.catch((rejected: unknown) => rejected);
    expect(error).toMatchObject({ code: 'TOKEN_INVALID', secret: 'dbToken', source: 'token' });
    expect(inspect(error, { showHidden: true }) + (error as Error).stack).not.toMatch(/token-secret/);
  });

  it.each([
    ['text', 'token-secret'],
    ['bytes', new TextEncoder().encode('token-secret')],
  ])('accepts %s, and a function that is not asynchronous', async (_, value) => {
    const fetch = () => ({ token: value, expiresAt: new Date(Date.now() + HOUR_MS) });
    const { store } = await opened(token('db-token', { fetch }));
    expect(store.reveal('dbToken')).toBe('token-secret');
  });

  it('passes on the code of a SecretsError that fetch throws', async () => {
    const { SecretsError } = await import('hot-secrets');
    const fetch = () => {
      throw new SecretsError('IDENTITY_REFUSED', 'the issuer refuses the client');
    };
    const opening = SecretStore.open({
      secrets: { dbToken: 'db-token' },
      sources: [token('db-token', { fetch })],
    });
    await expect(opening).rejects.toMatchObject({ code: 'IDENTITY_REFUSED', source: 'token' });
  });
});

describe('the arguments of token', () => {
  const fetch = issuer().fetch;
  it.each([
    ['no alias', [{ fetch }], 'OPTION_INVALID', 'the first argument of token must be the alias'],
    ['an invalid alias', ['db token', { fetch }], 'NAME_INVALID', '"db token"'],
    ['no options', ['db-token'], 'OPTION_INVALID', '`fetch` must be a function'],
    ['null as options', ['db-token', null], 'OPTION_INVALID', 'the options of token must be an object'],
    [
      'a token as fetch',
      ['db-token', { fetch: 'token-secret' }],
      'OPTION_INVALID',
      '`fetch` must be a function',
    ],
    [
      'a misspelt option',
      ['db-token', { fetch, requestTimeout: 1 }],
      'OPTION_UNKNOWN',
      'no option "requestTimeout"',
    ],
    [
      'a negative duration',
      ['db-token', { fetch, retryBaseMs: -1 }],
      'OPTION_INVALID',
      '`retryBaseMs` must be',
    ],
  ])('refuses %s', (_, args, code, what) => {
    const call = () => token(...(args as unknown as Parameters<typeof token>));
    expect(call).toThrow(expect.objectContaining({ code, what: expect.stringContaining(what) }));
    expect(call).not.toThrow('token-secret');
  });
});
