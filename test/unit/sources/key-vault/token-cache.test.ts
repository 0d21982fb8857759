import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SecretsError } from '../../../../src/errors';
import { TokenCache } from '../../../../src/sources/key-vault/credentials';
import { deferred } from '../../../support/deferred';

const SCOPE = 'https://vault.azure.net/.default';
const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Credentials that number their tokens; `answer` changes what they return. */
function stage() {
  const closing = new AbortController();
  const state = {
    created: 0,
    asked: [] as unknown[],
    answer: async (): Promise<{ token: string; expiresOnTimestamp: number } | null> => ({
      token: `token-${state.asked.length}`,
      expiresOnTimestamp: Date.now() + HOUR_MS,
    }),
  };
  const cache = new TokenCache({
    create() {
      state.created += 1;
      return {
        getToken(...request) {
          state.asked.push(request);
          return state.answer();
        },
      };
    },
    timeoutMs: 5_000,
    closing: closing.signal,
    during: (work) => work(),
    explain: (error) => new SecretsError('IDENTITY_FAILED', (error as Error).name),
    explainTimeout: () => new SecretsError('VAULT_TIMEOUT', 'no token'),
  });
  return { cache, state, closing, next: () => cache.getToken(SCOPE).then(({ token }) => token) };
}

describe('a token', () => {
  it('returns tokens that count as expired, so that each call of the client asks the cache', async () => {
    const { cache } = stage();
    expect(await cache.getToken(SCOPE)).toEqual({ token: 'token-1', expiresOnTimestamp: 0 });
  });

  it('requests a token once for parallel calls', async () => {
    const { state, next } = stage();
    expect(await Promise.all([next(), next(), next()])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(state.asked).toHaveLength(1);
  });

  it('replaces a token five minutes before it expires', async () => {
    const { next } = stage();
    await next();
    vi.advanceTimersByTime(HOUR_MS - 300_001);
    expect(await next()).toBe('token-1');
    vi.advanceTimersByTime(1);
    expect(await next()).toBe('token-2');
  });

  it('keeps a token until it expires while requests for a new one fail, and retries every 30 s', async () => {
    const { state, next } = stage();
    await next();
    state.answer = () => Promise.reject(new Error('an outage'));
    vi.advanceTimersByTime(HOUR_MS - 60_000);
    for (let second = 0; second < 60; second += 1) {
      expect(await next()).toBe('token-1');
      vi.advanceTimersByTime(1_000);
    }
    expect(state.asked).toHaveLength(3);
    await expect(next()).rejects.toMatchObject({ code: 'IDENTITY_FAILED' });
  });

  it('requests a token from a new credential after the vault refused the old one', async () => {
    const { cache, state, next } = stage();
    await next();
    cache.drop();
    expect(await next()).toBe('token-2');
    expect(state.created).toBe(2);
  });

  it('requests another token with the claims that the vault asks for', async () => {
    const { cache, state } = stage();
    await cache.getToken(SCOPE, { tenantId: 'tenant', enableCae: true, abortSignal: 'of one request' });
    await cache.getToken(SCOPE, { claims: '{"access_token":{}}', tenantId: 'tenant', enableCae: true });
    // The signal of the cache: other callers may wait for the same token.
    const abortSignal = expect.any(AbortSignal);
    expect(state.asked).toEqual([
      [SCOPE, { claims: undefined, tenantId: 'tenant', enableCae: true, abortSignal }],
      [SCOPE, { claims: '{"access_token":{}}', tenantId: 'tenant', enableCae: true, abortSignal }],
    ]);
  });
});

describe('a request for a token', () => {
  it('reports a failed token request as IDENTITY_FAILED, and repeats it with a new credential', async () => {
    const { state, next } = stage();
    const good = state.answer;
    for (const failure of [Promise.reject(new RangeError('private')), Promise.resolve(null)]) {
      state.answer = () => failure;
      await expect(next()).rejects.toMatchObject({
        code: 'IDENTITY_FAILED',
        message: expect.not.stringContaining('private'),
      });
    }
    state.answer = good;
    expect(await next()).toBe('token-3');
    expect(state.created).toBe(3);
  });

  it('abandons a token request after its timeout, without delaying the next one', async () => {
    const { state, next } = stage();
    const good = state.answer;
    state.answer = () => new Promise(() => {});
    const hanging = expect(next()).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(5_000);
    await hanging;
    state.answer = good;
    expect(await next()).toBe('token-2');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ignores the late answer of an abandoned token request', async () => {
    const { state, next } = stage();
    const good = state.answer;
    const late = deferred<{ token: string; expiresOnTimestamp: number }>();
    state.answer = () => late.promise;
    const hanging = expect(next()).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
    await vi.advanceTimersByTimeAsync(5_000);
    await hanging;
    state.answer = good;
    expect(await next()).toBe('token-2');
    late.resolve({ token: 'late', expiresOnTimestamp: Date.now() + HOUR_MS });
    await late.promise;
    expect(await next()).toBe('token-2');
  });

  it('ends a token request when the source closes', async () => {
    const { state, next, closing } = stage();
    state.answer = () => new Promise(() => {});
    const hanging = expect(next()).rejects.toMatchObject({ code: 'VAULT_TIMEOUT' });
    closing.abort();
    await hanging;
    expect(vi.getTimerCount()).toBe(0);
  });
});
