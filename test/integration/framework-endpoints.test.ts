import { SecretStore, secret } from 'hot-secrets';
import { basicAuth } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { frameworks, type PairStore, type StartApp } from '../support/framework-stage';
import { openRequest } from '../support/http-server';
import { silentMemory } from '../support/silent-source';

const MARKER = 'leak-marker';

async function startWithEndpoints(start: StartApp, basePath?: string) {
  const source = silentMemory({ user: `${MARKER}-user`, password: `${MARKER}-0`, ops: `${MARKER}-ops` });
  const store = await SecretStore.open({
    secrets: { user: 'user', password: 'password', ops: secret.text('ops') },
    sources: [source],
  });
  onTestFinished(() => store.close());
  const endpoints = {
    authorize: basicAuth(store, 'ops'),
    ...(basePath !== undefined && { basePath }),
  };
  const app = await start([[store as PairStore, { endpoints }]], {
    '/': ({ secrets }) => ({ generation: secrets?.generation }),
    '/-/secrets/own': () => ({ own: true }),
  });
  const ask = async (path: string, init: RequestInit & { readonly as?: string | undefined } = {}) => {
    const { as, headers, ...rest } = init;
    const authorization = as && `Basic ${Buffer.from(`ops:${as}`).toString('base64')}`;
    const response = await fetch(app.url + path, {
      ...rest,
      headers: { ...headers, ...(authorization && { authorization }) },
      signal: AbortSignal.timeout(10_000),
    });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };
  return { source, store, app, ask, ops: `${MARKER}-ops` };
}

describe.each(Object.entries(frameworks))('the endpoints of %s', (_name, start: StartApp) => {
  it('requires authorization for the status page and reload, but not for ready and live', async () => {
    const { ask, ops } = await startWithEndpoints(start);
    for (const path of ['/-/secrets', '/-/secrets/', '/-/secrets?format=json']) {
      expect((await ask(path)).status).toBe(401);
      expect((await ask(path, { as: 'another' })).status).toBe(401);
      expect((await ask(path, { as: ops })).status).toBe(200);
    }
    expect((await ask('/-/secrets/reload', { method: 'POST' })).status).toBe(401);
    const ready = await ask('/-/secrets/ready');
    expect([ready.status, JSON.parse(ready.text)]).toEqual([
      200,
      // Without stalenessMs, since a source in memory cannot become stale.
      { healthy: true, status: 'ok', generation: 1 },
    ]);
    expect((await ask('/-/secrets/live')).status).toBe(200);
    expect((await ask('/-/secrets/ready', { method: 'HEAD' })).status).toBe(200);
  });

  it('reloads on POST with any content type', async () => {
    const { source, ask, ops } = await startWithEndpoints(start);
    const bodies: readonly RequestInit[] = [
      { body: 'x=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { body: '{"broken', headers: { 'content-type': 'application/json' } },
      { body: 'x', headers: { 'content-type': 'application/unknown' } },
    ];
    const reload = async (body: RequestInit = {}) => {
      const { status, text } = await ask('/-/secrets/reload', { method: 'POST', as: ops, ...body });
      return [status, JSON.parse(text)];
    };
    source.set({ password: `${MARKER}-1` });
    expect(await reload()).toEqual([200, { generation: 2, changed: ['password'], status: 'ok' }]);
    source.set({ password: `${MARKER}-2` });
    // They share the next refresh.
    const answers = await Promise.all(bodies.map(reload));
    expect(answers).toEqual(bodies.map(() => [200, { generation: 3, changed: ['password'], status: 'ok' }]));
    expect((await ask('/-/secrets/reload', { as: ops })).status).toBe(405);
    expect((await ask('/-/secrets/ready', { method: 'POST' })).status).toBe(405);
  });

  it('does not reload for a page of another site, which has the password that the browser remembers', async () => {
    const { source, store, ask, ops } = await startWithEndpoints(start);
    source.set({ password: `${MARKER}-1` });
    const reload = async (headers: Record<string, string>) =>
      (await ask('/-/secrets/reload', { method: 'POST', as: ops, body: 'a=b', headers })).status;
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await reload({ ...form, origin: 'https://evil.example' })).toBe(403);
    expect(await reload({ ...form, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(store.generation).toBe(1);
    expect(await reload({ ...form, 'sec-fetch-site': 'same-origin' })).toBe(200);
    // A link from elsewhere may lead to the page.
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', accept: 'text/html' };
    expect((await ask('/-/secrets', { as: ops, headers: link })).status).toBe(200);
  });

  it('answers a request to an endpoint before its huge body has arrived', async () => {
    const { app } = await startWithEndpoints(start);
    const { asked, answered } = openRequest(`${app.url}/-/secrets/reload`, {
      'content-length': 10_000_000_000,
    });
    asked.on('error', () => {});
    asked.write('x'.repeat(200_000));
    expect((await answered).status).toBe(401);
    asked.destroy();
  });

  it('sends a status page to browsers and JSON to programs, without values', async () => {
    const { source, store, ask, ops } = await startWithEndpoints(start);
    for (const round of [1, 2, 3]) {
      source.set({ password: `${MARKER}-${round}` });
      await store.refresh();
    }
    const page = await ask('/-/secrets', { as: ops, headers: { accept: 'text/html' } });
    const data = await ask('/-/secrets?format=json', { as: ops });
    expect([page.type, data.type]).toEqual([
      expect.stringContaining('text/html'),
      expect.stringContaining('application/json'),
    ]);
    expect(data.text).toContain('"password"');
    expect(page.text + data.text).not.toContain(MARKER);
  });

  it('serves endpoints below basePath, and leaves other paths to the application', async () => {
    const { ask, ops } = await startWithEndpoints(start);
    expect(await ask('/-/secrets/own')).toMatchObject({ status: 200, text: '{"own":true}' });
    expect((await ask('/-/secrets/nothing', { as: ops })).status).toBe(404);
    const elsewhere = await startWithEndpoints(start, '/internal/store');
    expect((await elsewhere.ask('/internal/store/ready')).status).toBe(200);
    expect((await elsewhere.ask('/-/secrets/ready')).status).toBe(404);
  });

  it('responds with 503 on every endpoint except live once the store is closed', async () => {
    const { store, ask, ops } = await startWithEndpoints(start);
    await store.close();
    expect((await ask('/-/secrets', { as: ops })).status).toBe(503);
    expect((await ask('/-/secrets/reload', { as: ops, method: 'POST' })).status).toBe(503);
    const ready = await ask('/-/secrets/ready');
    expect([ready.status, JSON.parse(ready.text)]).toMatchObject([503, { healthy: false, status: 'closed' }]);
    const live = await ask('/-/secrets/live');
    expect([live.status, JSON.parse(live.text)]).toMatchObject([200, { healthy: true, status: 'closed' }]);
  });
});
