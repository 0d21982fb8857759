import { request } from 'node:http';
import { SecretStore, secret } from 'hot-secrets';
import { basicAuth, querySecret, type ReloadOptions, reloadHandler } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../../support/deferred';
import { openRequest, serve } from '../../support/http-server';
import { countingStore, recordWarnings } from '../../support/http-stage';
import { silentMemory } from '../../support/silent-source';
import { record } from '../../support/store-log';
import { waitFor } from '../../support/wait-for';

const URL = 'https://shop.example/-/reload';
const post = (init: RequestInit = {}) => new Request(URL, { method: 'POST', ...init });

async function stage(options: Partial<ReloadOptions> = {}) {
  const source = silentMemory({ user: 'user-0', password: 'password-0', code: 'reload-code-0' });
  const store = await SecretStore.open({
    secrets: { user: 'user', password: 'password', code: secret.text('code', { keepPreviousMs: 60_000 }) },
    sources: [source],
  });
  onTestFinished(() => store.close());
  const handler = reloadHandler(store, { authorize: () => true, minIntervalMs: 0, ...options });
  return { source, store, handler, log: record(store) };
}

/** A store whose refreshes a test ends, with everything that the handler needs. */
function heldStore() {
  const health = () => ({ status: 'ok' });
  const members = { held: true, generation: 1, on: () => () => {}, health };
  const store = Object.assign(countingStore(), members);
  return store as typeof store & Parameters<typeof reloadHandler>[0];
}

describe('reloadHandler', () => {
  it('responds to a reload with the generation and the names that rotated', async () => {
    const { source, handler, log } = await stage();
    for (let round = 1; round <= 3; round += 1) {
      source.set({ user: `user-${round}`, password: `password-${round}` });
      const response = await handler(post());
      expect([response.status, await response.json()]).toEqual([
        200,
        { generation: 1 + round, changed: ['user', 'password'], status: 'ok' },
      ]);
    }
    expect(log.changes.map(({ trigger }) => trigger)).toEqual(['reload', 'reload', 'reload']);
    const response = await handler(post());
    expect(await response.json()).toEqual({ generation: 4, changed: [], status: 'ok' });
  });

  it('responds with the status "degraded" and no value after a reload that finds a bad value', async () => {
    const { source, handler, store } = await stage();
    store.on('error', () => {});
    source.set({ password: '' });
    const response = await handler(post());
    expect([response.status, await response.json()]).toEqual([
      200,
      { generation: 1, changed: [], status: 'degraded' },
    ]);
  });

  it('shares two refreshes among fifty requests', async () => {
    const { store, handler, source } = await stage({ minIntervalMs: 40 });
    let refreshes = 0;
    const refresh = store.refresh.bind(store);
    store.refresh = (options) => {
      refreshes += 1;
      return refresh(options);
    };
    source.set({ user: 'user-1' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => handler(post())));
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(refreshes).toBe(2);
  });

  it('responds with 202 when the refresh takes longer than waitMs', async () => {
    const store = heldStore();
    const handler = reloadHandler(store, { authorize: () => true, waitMs: 20 });
    const response = await handler(post());
    expect([response.status, await response.json()]).toEqual([
      202,
      { generation: 1, changed: [], status: 'ok', pending: true },
    ]);
    store.finish();
  });

  it('responds with 429 while a hundred requests wait', async () => {
    const store = heldStore();
    const handler = reloadHandler(store, { authorize: () => true, minIntervalMs: 0 });
    const waiting = Array.from({ length: 100 }, () => handler(post()));
    await waitFor(async () => (await handler(post())).status === 429);
    store.finish();
    await waitFor(() => store.triggers.length > 0);
    store.held = false;
    store.finish();
    const statuses = (await Promise.all(waiting)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(99);
    expect((await handler(post())).status).toBe(200);
  });
});

describe('reloadHandler and its authorizer', () => {
  it('refuses every method but POST', async () => {
    const { handler, log } = await stage();
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await handler(new Request(URL, { method }));
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    }
    expect(log.changes).toEqual([]);
  });

  it.each([
    ['the query', (code: string) => new Request(`${URL}?code=${code}`, { method: 'POST' })],
    ['a header', (code: string) => post({ headers: { authorization: `Bearer ${code}` } })],
  ])(
    'accepts the new secret in %s, and the previous one during its grace period',
    async (_title, request) => {
      const { store, source } = await stage();
      const authorize = querySecret(store, 'code', { header: 'authorization' });
      const handler = reloadHandler(store, { authorize, minIntervalMs: 0 });
      source.set({ code: 'reload-code-1' });
      for (const code of ['reload-code-0', 'reload-code-1', 'reload-code-0']) {
        expect((await handler(request(code))).status).toBe(200);
      }
      for (const code of ['', 'reload-code-2', 'reload-code']) {
        expect((await handler(request(code))).status).toBe(401);
      }
    },
  );

  it('accepts the secret as a Basic password, and asks for it when it is missing', async () => {
    const { store, source } = await stage();
    const authorize = basicAuth(store, 'code', { user: 'ops' });
    const handler = reloadHandler(store, { authorize, minIntervalMs: 0 });
    const as = async (text: string) => {
      const headers = { authorization: `Basic ${Buffer.from(text).toString('base64')}` };
      return (await handler(post({ headers }))).status;
    };
    expect(await as('ops:reload-code-0')).toBe(200);
    source.set({ code: 'reload:code-1' });
    await store.refresh();
    expect([await as('ops:reload:code-1'), await as('ops:reload-code-0')]).toEqual([200, 200]);
    for (const text of [
      'ops',
      'ops:',
      ':reload:code-1',
      'dev:reload:code-1',
      'reload:code-1',
      'ops:reload',
    ]) {
      expect(await as(text)).toBe(401);
    }
    const refused = await handler(post());
    expect(refused.headers.get('www-authenticate')).toBe('Basic realm="secrets", charset="UTF-8"');
  });

  it('refuses an empty password when the secret is empty', async () => {
    await using store = await SecretStore.open({
      secrets: { code: secret.json('code') },
      sources: [silentMemory({ code: '""' })],
    });
    const handler = reloadHandler(store, { authorize: basicAuth(store, 'code' as never) });
    const headers = { authorization: `Basic ${Buffer.from('ops:').toString('base64')}` };
    expect((await handler(post({ headers }))).status).toBe(401);
  });

  it.each([
    { options: { user: 'a:b' }, code: 'OPTION_INVALID' },
    { options: { realm: 'a"b' }, code: 'OPTION_INVALID' },
    { options: { users: ['a'] }, code: 'OPTION_UNKNOWN' },
  ])('refuses basicAuth with the options $options', async ({ options, code }) => {
    const { store } = await stage();
    expect(() => basicAuth(store, 'code', options as never)).toThrow(expect.objectContaining({ code }));
    expect(() => basicAuth(store, 'nobody' as never)).toThrow(
      expect.objectContaining({ code: 'NAME_UNKNOWN' }),
    );
  });
});

describe('reloadHandler over a socket', () => {
  it('responds to a reload without reading its body', async () => {
    const { handler } = await stage();
    const url = await serve(handler.node);
    const { asked, answered } = openRequest(url, { 'content-length': 1_000_000_000 });
    asked.on('error', () => {});
    asked.write('x'.repeat(100_000));
    const { status, headers } = await answered;
    expect([status, headers.connection]).toEqual([200, 'close']);
    asked.destroy();
  });

  it('responds with 503 once the store is closed, even to a request that waits', async () => {
    using warnings = recordWarnings();
    const { store, handler } = await stage();
    const gate = deferred<void>();
    store.refresh = () => gate.promise;
    const waiting = handler(post());
    await store.close();
    gate.resolve();
    expect((await waiting).status).toBe(503);
    expect((await handler(post())).status).toBe(503);
    expect(warnings.codes()).toEqual([]);
  });
});

describe('reloadHandler and pages in browsers', () => {
  const host = 'shop.example:8443';
  // As browsers send them with the password that they remember: forms and no-cors requests need no preflight.
  it.each<[title: string, status: number, headers: Record<string, string>]>([
    ['a form of another site', 403, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    [
      'a form of another subdomain',
      403,
      { 'sec-fetch-site': 'same-site', origin: 'https://blog.shop.example' },
    ],
    ['a form on plain HTTP', 403, { origin: 'http://evil.example' }],
    ['a form on another port', 403, { origin: 'http://shop.example:8080' }],
    ['a form in a sandbox', 403, { origin: 'null' }],
    ['a page that is a file', 403, { origin: 'file://' }],
    ['an unknown kind of site', 403, { 'sec-fetch-site': 'something' }],
    ['two origins', 403, { origin: `https://${host}, https://evil.example` }],
    [
      'a no-cors request without a content type',
      403,
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    ],
    ['a name that ends like the host', 403, { origin: 'https://evil-shop.example:8443' }],
    ['its own page', 200, { 'sec-fetch-site': 'same-origin', origin: `https://${host}` }],
    ['its own page on plain HTTP', 200, { origin: `http://${host}` }],
    [
      'its own page behind a proxy that ends TLS',
      200,
      { origin: 'https://ops.example', 'x-forwarded-host': 'ops.example' },
    ],
    [
      'its own page behind two proxies',
      200,
      { origin: 'https://ops.example', 'x-forwarded-host': 'ops.example, inner' },
    ],
    ['its own page at the default port', 200, { host: 'shop.example:80', origin: 'http://shop.example' }],
    ['the address bar', 200, { 'sec-fetch-site': 'none' }],
    ['curl', 200, {}],
    ['curl with a form', 200, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['fetch of Node', 200, { 'sec-fetch-mode': 'cors' }],
  ])('responds to a request of %s with %i', async (_title, status, headers) => {
    const { handler, log, source } = await stage();
    source.set({ password: 'password-1' });
    const url = await serve(handler.node);
    expect(await statusOf(url, { host, ...headers })).toBe(status);
    const web = await handler(post({ headers: { host, ...headers } }));
    expect(web.status).toBe(status);
    expect(log.changes).toHaveLength(status === 200 ? 1 : 0);
  });

  it('refuses a page of another site before it asks the authorizer', async () => {
    const authorize = vi.fn(() => true);
    const { handler } = await stage({ authorize });
    const response = await handler(post({ headers: { origin: 'https://evil.example' } }));
    expect(await response.json()).toEqual({ error: 'the request is from another site' });
    expect(authorize).not.toHaveBeenCalled();
  });

  it('refuses requests for a host that is not one of its hosts, as when a page points its own name here', async () => {
    const { handler } = await stage({ hosts: ['localhost', '127.0.0.1', '[::1]'] });
    const url = await serve(handler.node);
    for (const [name, status] of [
      ['evil.example', 403],
      ['evil.example:8080', 403],
      ['localhost.evil.example', 403],
      ['not a host', 403],
      ['LOCALHOST:8080', 200],
      ['127.0.0.1', 200],
      ['[::1]:8080', 200],
    ] as const) {
      const headers = { host: name, origin: `http://${name}`, 'sec-fetch-site': 'same-origin' };
      expect([name, await statusOf(url, headers)]).toEqual([name, status]);
    }
  });

  it.each([
    { hosts: [] },
    { hosts: 'localhost' },
    { hosts: ['localhost:80'] },
    { hosts: ['Localhost'] },
    { hosts: [''] },
    { hosts: [7] },
  ])('refuses the options $hosts', async ({ hosts }) => {
    await expect(stage({ hosts: hosts as never })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });
});

/** Sends a request with a `Host` of its own, which fetch does not allow. */
function statusOf(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('error', reject).end();
  });
}
