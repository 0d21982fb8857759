import { channel } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import { memory, SecretStore } from 'hot-secrets';
import { querySecret, type StatusReport, statusHandler } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { channelNames } from '../../../src/observe/channels';
import { listen } from '../../support/http-server';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

async function open(values: Record<string, string> = { code: 'first-code' }, name = 'shop') {
  const source = memory(values);
  const store = await SecretStore.open({ name, sources: [source] });
  onTestFinished(() => store.close());
  return { source, store };
}

const get = (query = '', accept = 'application/json', method = 'GET') =>
  new Request(`https://shop.example/-/secrets${query}`, { method, headers: { accept } });

const reportOf = async (response: Promise<Response>) => (await (await response).json()) as StatusReport;

const subscribed = () => channelNames.filter((name) => channel(name).hasSubscribers);

describe('statusHandler at start-up', () => {
  it.each<readonly [code: string, options: object]>([
    ['OPTION_INVALID', {}],
    ['OPTION_INVALID', { authorize: 'first-code' }],
    ['OPTION_UNKNOWN', { authorize: () => true, refresh: 5 }],
    ['OPTION_INVALID', { authorize: () => true, refreshMs: 100 }],
    ['OPTION_INVALID', { authorize: () => true, refreshMs: Number.POSITIVE_INFINITY }],
    ['OPTION_INVALID', { authorize: () => true, timelineSize: Number.POSITIVE_INFINITY }],
    ['OPTION_INVALID', { authorize: () => true, timelineSize: 0 }],
  ])('refuses statusHandler with %s for the options %j', async (code, options) => {
    const { store } = await open();
    expect(() => statusHandler(store, options as never)).toThrow(expect.objectContaining({ code }));
    expect(subscribed()).toEqual([]);
  });

  it('refuses statusHandler with an empty list of stores or a closed store', async () => {
    const options = { authorize: () => true };
    expect(() => statusHandler([], options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    const { store } = await open();
    await store.close();
    expect(() => statusHandler(store, options)).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
    expect(subscribed()).toEqual([]);
  });
});

describe('statusHandler', () => {
  it('responds with the status page or with JSON, as requested', async () => {
    const { store } = await open();
    const handler = statusHandler(store, { authorize: () => true });
    const typeFor = async (query: string, accept: string) =>
      (await handler(get(query, accept))).headers.get('content-type');
    expect(await typeFor('', BROWSER)).toBe('text/html; charset=utf-8');
    expect(await typeFor('', 'text/html;q=0.5, application/json')).toBe('application/json');
    expect(await typeFor('', 'application/json;q=0.5, text/html')).toBe('text/html; charset=utf-8');
    expect(await typeFor('', '*/*')).toBe('application/json');
    expect(await typeFor('?format=json', BROWSER)).toBe('application/json');
    expect(await typeFor('?format=html', '*/*')).toBe('text/html; charset=utf-8');
  });

  it('refuses the page, its JSON and HEAD without authorization, and POST with 405', async () => {
    const { store } = await open({ code: 'first-code', 'named-secret': 'first-value' });
    const handler = statusHandler(store, { authorize: querySecret(store, 'code') });
    for (const accept of [BROWSER, 'application/json']) {
      const refused = await handler(get('?code=wrong', accept));
      expect([refused.status, await refused.text()]).toEqual([401, '{"error":"unauthorized"}']);
      expect((await handler(get('?code=first-code', accept))).status).toBe(200);
      expect((await handler(get('', accept, 'HEAD'))).status).toBe(401);
    }
    const posted = await handler(get('?code=first-code', BROWSER, 'POST'));
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('responds to HEAD with the headers of the page only', async () => {
    const { store } = await open();
    const handler = statusHandler(store, { authorize: () => true });
    const port = await listen(createServer(handler.node));
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'HEAD',
      headers: { accept: BROWSER },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'text/html; charset=utf-8',
    ]);
    expect(await response.text()).toBe('');
  });

  it('sends a page that loads nothing, and allows only its own script and style', async () => {
    const { store } = await open();
    const handler = statusHandler(store, { authorize: () => true });
    const [one, other] = [await handler(get('', BROWSER)), await handler(get('', BROWSER))];
    const policy = one.headers.get('content-security-policy') ?? '';
    const nonce = /'nonce-([\w+/=]{22,})'/.exec(policy)?.[1];
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      `script-src 'nonce-${nonce}'`,
      `style-src 'nonce-${nonce}'`,
      "connect-src 'self'",
      'img-src data:',
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(other.headers.get('content-security-policy')).not.toContain(nonce);
    expect(Object.fromEntries(one.headers)).toMatchObject({
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      vary: 'accept',
      'x-content-type-options': 'nosniff',
    });
    const html = await one.text();
    expect(html.match(/<(script|style)\b[^>]*>/g)).toEqual([
      `<style nonce="${nonce}">`,
      `<script nonce="${nonce}" type="module">`,
    ]);
    expect(html).not.toMatch(/\b(src|href)="(?!data:)|@import|url\(|\son\w+=|\sstyle=/);
  });

  it('sends strict security headers with JSON', async () => {
    const { store } = await open();
    const { headers } = await statusHandler(store, { authorize: () => true })(get());
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('sends a page without data of the store, and markup in names only as JSON text', async () => {
    const name = '</script><img src=x onerror=alert(1)>';
    await using store = await SecretStore.open({
      name: '<b>shop</b>',
      secrets: { [name]: 'api-key' },
      sources: [memory({ 'api-key': 'first-value' })],
    });
    const handler = statusHandler(store, { authorize: () => true });
    const html = await (await handler(get('?code=%3Cb%3E', BROWSER))).text();
    expect(html).not.toMatch(/onerror|<b>/);
    // As JSON the names are text, and the content type is not HTML.
    const { stores } = await reportOf(handler(get()));
    expect([stores[0]?.name, stores[0]?.secrets[0]?.name]).toEqual(['<b>shop</b>', name]);
  });
});

describe('statusHandler with several stores', () => {
  it('reports each store with its own timeline, and a closed one as closed, until all are closed', async () => {
    const [tenant, platform] = [await open({ a: 'first' }, 'tenant'), await open({ b: 'first' }, 'platform')];
    const handler = statusHandler([tenant.store, platform.store], { authorize: () => true });
    for (const value of ['second', 'third', 'fourth']) {
      tenant.source.set({ a: value });
      await tenant.store.refresh();
    }
    const seen = async () =>
      (await reportOf(handler(get()))).stores.map(({ name, status, timeline }) => [
        name,
        status,
        timeline.length,
      ]);
    expect(await seen()).toEqual([
      ['tenant', 'ok', 3],
      ['platform', 'ok', 0],
    ]);
    await tenant.store.close();
    expect(await seen()).toEqual([
      ['tenant', 'closed', 3],
      ['platform', 'ok', 0],
    ]);
    await platform.store.close();
    const closed = await handler(get());
    expect([closed.status, await closed.json()]).toEqual([503, { error: 'closed' }]);
    expect(subscribed()).toEqual([]);
  });
});
