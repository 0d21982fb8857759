import { bearerToken, eventGridHandler } from 'hot-secrets/http';
import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import {
  AUDIENCE,
  EVENT_GRID,
  startTenant,
  TENANT,
  type Tenant,
  type TokenOptions,
  V1_ISSUER,
} from '../support/entra-tenant';
import { delivery, gridSample } from '../support/event-grid';
import { countingStore, fakeClock, recordWarnings } from '../support/http-stage';

function endpoint(tenant: Tenant, options: object = {}) {
  const store = countingStore();
  const authorize = bearerToken({
    tenantId: TENANT,
    audience: AUDIENCE,
    jwksUrl: tenant.jwksUrl,
    ...options,
  });
  const handler = eventGridHandler(store, { authorize, minIntervalMs: 0, requestTimeoutMs: 8_000 });
  const send = async (authorization: string) =>
    (await handler(delivery([gridSample], { headers: { authorization } }))).status;
  return {
    store,
    handler,
    send,
    withToken: async (token: TokenOptions = {}) => send(`Bearer ${await tenant.token(token)}`),
  };
}

describe('bearerToken', () => {
  it.each<[title: string, token: TokenOptions]>([
    ['in version 2', {}],
    ['in version 1', { claims: { iss: V1_ISSUER, azp: undefined, appid: EVENT_GRID } }],
    ['for several audiences', { claims: { aud: ['api://other', AUDIENCE] } }],
    ['that becomes valid in two minutes', { claims: { nbf: Date.now() / 1000 + 120 } }],
    ['that expired two minutes ago', { expiresInS: -120 }],
  ])('accepts a token of the tenant %s', async (_title, token) => {
    const { store, withToken } = endpoint(await startTenant());
    expect(await withToken(token)).toBe(200);
    expect(store.triggers).toEqual(['event-grid']);
  });

  it.each<[title: string, token: TokenOptions, warning: string | undefined]>([
    ['for another audience', { claims: { aud: 'api://other' } }, '"aud" says "api://other"'],
    [
      'of another tenant, signed with a key that both share',
      { claims: { iss: V1_ISSUER.replace('72f9', '82f9') } },
      '"iss" says',
    ],
    ['of another application', { claims: { azp: TENANT } }, `"azp" says "${TENANT}"`],
    ['of no application', { claims: { azp: undefined } }, '"appid" cannot be printed'],
    ['for an audience with a line break', { claims: { aud: 'a\nb' } }, '"aud" cannot be printed'],
    ['that has expired', { expiresInS: -3_600 }, undefined],
    ['that never expires', { claims: { exp: undefined } }, undefined],
    ['that becomes valid tomorrow', { claims: { nbf: Date.now() / 1000 + 86_400 } }, undefined],
  ])('refuses a token %s', async (_title, token, warning) => {
    using warnings = recordWarnings();
    const { store, withToken } = endpoint(await startTenant());
    expect([await withToken(token), await withToken(token)]).toEqual([401, 401]);
    expect(store.triggers).toEqual([]);
    expect(warnings.codes()).toEqual(warning === undefined ? [] : ['OPTION_INVALID']);
    if (warning !== undefined) expect(warnings.text()).toContain(warning);
  });

  it('refuses forged and malformed tokens without a warning', async () => {
    using warnings = recordWarnings();
    const tenant = await startTenant();
    const stranger = await startTenant({ hasOwnKeys: true });
    const { store, send } = endpoint(tenant);
    const genuine = await tenant.token();
    await tenant.rotate('ES256');
    const [header, payload = '', signature] = genuine.split('.');
    const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), aud: 'api://other' };
    const none = Buffer.from('{"alg":"none","kid":"key-1"}').toString('base64url');
    const forged = [
      await stranger.token({ kid: 'key-1' }),
      await stranger.token({ kid: 'key-9' }),
      await tenant.token({ alg: 'ES256' }),
      await tenant.token({ alg: 'HS256', key: Buffer.from('a secret of thirty-two bytes or so') }),
      `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`,
      `${none}.${payload}.`,
      'abc',
      'a.b.c',
    ];
    for (const token of forged) expect(await send(`Bearer ${token}`)).toBe(401);
    for (const odd of ['', 'Bearer', 'Basic YTpi', `Bearer ${genuine} x`, genuine]) {
      expect(await send(odd)).toBe(401);
    }
    expect([store.triggers, warnings.codes()]).toEqual([[], []]);
    expect(await send(`bearer ${genuine}`)).toBe(200);
  });
});

describe('bearerToken and the keys of the tenant', () => {
  it('fetches the keys of a tenant once for many tokens, and once more for each new key', async () => {
    const clock = fakeClock();
    const tenant = await startTenant();
    const { withToken } = endpoint(tenant);
    expect(await Promise.all(Array.from({ length: 50 }, () => withToken()))).toEqual(Array(50).fill(200));
    expect(tenant.fetches).toBe(1);
    for (const round of [1, 2, 3]) {
      // The first new key is found at once, later ones after the pause between two searches.
      await tenant.rotate();
      const many = await Promise.all(Array.from({ length: 20 }, () => withToken()));
      expect([...new Set(many), tenant.fetches]).toEqual([200, 1 + round]);
      clock.advance(31_000);
    }
  });

  it('responds with 503 to a new key that it may not look up yet, and accepts it later', async () => {
    using warnings = recordWarnings();
    const clock = fakeClock();
    const tenant = await startTenant();
    const { withToken } = endpoint(tenant);
    expect([await withToken(), await withToken({ kid: 'invented' })]).toEqual([200, 401]);
    await tenant.rotate();
    expect([await withToken(), await withToken()]).toEqual([503, 503]);
    expect(await withToken({ kid: 'invented' })).toBe(401);
    expect([tenant.fetches, warnings.codes()]).toEqual([2, ['KEYS_UNAVAILABLE']]);
    clock.advance(31_000);
    expect([await withToken(), tenant.fetches]).toEqual([200, 3]);
  });

  it('fetches keys rarely for tokens with invented keys, whatever their number', async () => {
    using warnings = recordWarnings();
    const clock = fakeClock();
    const tenant = await startTenant();
    const { withToken } = endpoint(tenant);
    const invented = async (round: number) =>
      Promise.all(Array.from({ length: 200 }, (_, n) => withToken({ kid: `invented-${round}-${n}` })));
    for (const round of [1, 2, 3]) {
      const statuses = new Set([...(await invented(round)), ...(await invented(round + 10))]);
      expect([...statuses].every((status) => [401, 503].includes(status))).toBe(true);
      expect(await withToken()).toBe(200);
      expect(tenant.fetches).toBe(1 + round);
      clock.advance(31_000);
    }
    // Although good requests came in between.
    expect(warnings.codes()).toEqual(['KEYS_UNAVAILABLE']);
  });

  it.each(['fail', 'hang', 'html', 'empty', 'redirect'] as const)(
    'keeps the keys for hours while their server answers with "%s", and asks rarely',
    async (how) => {
      using warnings = recordWarnings();
      const clock = fakeClock();
      const tenant = await startTenant();
      const { withToken } = endpoint(tenant);
      expect(await withToken()).toBe(200);
      tenant.behave(how);
      for (const hours of [1, 2, 24]) {
        clock.advance(hours * 3_600_000);
        const many = await Promise.all(Array.from({ length: 50 }, () => withToken()));
        expect(new Set(many)).toEqual(new Set([200]));
      }
      expect(tenant.fetches).toBeLessThanOrEqual(4);
      expect(warnings.codes()).toEqual(['KEYS_UNAVAILABLE']);
      await tenant.rotate();
      expect(await withToken()).toBe(503);
      tenant.behave('serve');
      clock.advance(31_000);
      expect(await withToken()).toBe(200);
    },
  );

  it('refuses tokens of a key that the tenant has withdrawn, once the keys are ten minutes old', async () => {
    const clock = fakeClock();
    const tenant = await startTenant();
    const { withToken, send } = endpoint(tenant);
    const old = `Bearer ${await tenant.token()}`;
    await tenant.rotate();
    expect([await send(old), await withToken()]).toEqual([200, 200]);
    tenant.withdraw();
    expect(await send(old)).toBe(200);
    clock.advance(601_000);
    expect([await send(old), await send(old), await withToken()]).toEqual([401, 401, 200]);
  });

  it('responds with 503 while the keys of a tenant were never reachable, and accepts tokens afterwards', async () => {
    using warnings = recordWarnings();
    const clock = fakeClock();
    const tenant = await startTenant();
    const { store, handler, withToken } = endpoint(tenant);
    tenant.behave('fail');
    expect([await withToken(), await withToken(), tenant.fetches]).toEqual([503, 503, 1]);
    const headers = { authorization: `Bearer ${await tenant.token()}` };
    const answer = await handler(delivery([gridSample], { headers }));
    expect(await answer.json()).toEqual({ error: 'authorization failed', code: 'KEYS_UNAVAILABLE' });
    clock.advance(6_000);
    tenant.behave('hang');
    expect([await withToken(), tenant.fetches]).toEqual([503, 2]);
    expect(store.triggers).toEqual([]);
    expect(warnings.codes()).toEqual(['KEYS_UNAVAILABLE', 'KEYS_UNAVAILABLE']);
    expect(warnings.text()).toMatch(/answered with status 503.*\n.*not received within 5000 ms/);
    clock.advance(6_000);
    tenant.behave('serve');
    expect(await withToken()).toBe(200);
  });

  it('fetches keys with the given fetch, which trusts a private authority', async () => {
    const authority = await createAuthority();
    const tenant = await startTenant({ tls: await authority.issue() });
    const dispatcher = new Agent({ connect: { ca: authority.cert } });
    onTestFinished(() => dispatcher.close());
    const fetch = ((url: string, init: object) =>
      undiciFetch(url, { ...init, dispatcher })) as unknown as typeof globalThis.fetch;
    expect(await endpoint(tenant, { fetch }).withToken()).toBe(200);
    using warnings = recordWarnings();
    expect(await endpoint(tenant).withToken()).toBe(503);
    expect(warnings.codes()).toEqual(['KEYS_UNAVAILABLE']);
  });
});

it('accepts tokens of the applications, the issuer and the audiences in the options', async () => {
  const tenant = await startTenant();
  const named = { appIds: [TENANT.toUpperCase()], issuer: 'https://issuer.example/', audience: ['x', 'y'] };
  const { withToken } = endpoint(tenant, named);
  const claims = { azp: TENANT, iss: 'https://issuer.example/', aud: 'y' };
  expect(await withToken({ claims })).toBe(200);
});
