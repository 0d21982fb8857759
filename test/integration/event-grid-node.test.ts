import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer as createHttp2, type Http2Server } from 'node:http2';
import { createServer as createHttps, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { buffer, json, text } from 'node:stream/consumers';
import { memory, SecretStore } from 'hot-secrets';
import { eventGridHandler, type HttpHandler, type NodeRequest, querySecret } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { cloudSample, gridSample, validationSample } from '../support/event-grid';
import { type Listener, listen, openRequest, serve } from '../support/http-server';
import { countingStore, recordWarnings } from '../support/http-stage';
import { waitFor } from '../support/wait-for';

type Options = Parameters<typeof eventGridHandler>[1];

function handlerOf(options: Partial<Options> = {}) {
  const store = countingStore();
  return { store, handler: eventGridHandler(store, { authorize: () => true, ...options }) };
}

const post = (url: string, body: unknown, contentType = 'application/json; charset=utf-8') =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': contentType },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

/** Acts like Express, whose routers shorten the URL and whose parsers set `body`. */
function expressLike(handler: HttpHandler, parse: (request: NodeRequest) => Promise<unknown>): Listener {
  return async (request, response) => {
    const body = await parse(request);
    await handler.node(Object.assign(request, { body, originalUrl: request.url ?? '/', url: '/' }), response);
  };
}

describe('eventGridHandler with node:http', () => {
  it('accepts events and both handshakes, and passes method, URL and headers to the authorizer', async () => {
    const seen: string[] = [];
    const { store, handler } = handlerOf({
      minIntervalMs: 0,
      authorize: ({ method, url, headers }) => {
        seen.push(`${method} ${url.pathname} ${url.searchParams.get('code')} ${headers.get('x-one')}`);
        return true;
      },
    });
    const origin = await serve(handler.node);
    const delivered = await post(`${origin}/hooks?code=a%20b`, [gridSample]);
    expect([delivered.status, await delivered.json()]).toEqual([200, { accepted: 1, ignored: 0 }]);
    expect(delivered.headers.get('content-type')).toBe('application/json');
    expect(delivered.headers.get('cache-control')).toBe('no-store');
    expect((await post(`${origin}//evil.example/`, cloudSample, 'application/cloudevents+json')).status).toBe(
      200,
    );
    expect(await (await post(origin, [validationSample])).json()).toEqual({
      validationResponse: validationSample.data.validationCode,
    });
    const allowed = await fetch(`${origin}/`, {
      method: 'OPTIONS',
      headers: { 'WebHook-Request-Origin': 'eventgrid.azure.net', 'x-one': '1' },
    });
    expect(allowed.headers.get('webhook-allowed-origin')).toBe('eventgrid.azure.net');
    expect((await fetch(origin)).status).toBe(405);
    await waitFor(() => store.triggers.length === 2);
    expect(seen).toEqual([
      'POST /hooks a b null',
      'POST //evil.example/ null null',
      'POST / null null',
      'OPTIONS / null 1',
    ]);
  });

  it('keeps the connection of a refused delivery open', async () => {
    const { handler } = handlerOf({ authorize: ({ url }) => url.pathname === '/in' });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const origin = await serve(handler.node);
    const sockets = new Set<unknown>();
    for (const [path, status] of [
      ['/out', 401],
      ['/in', 200],
      ['/out', 401],
      ['/in', 200],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const asked = httpRequest(`${origin}${path}`, { method: 'POST', headers, agent });
      asked.end(JSON.stringify([gridSample]));
      const [response] = await once(asked, 'response');
      sockets.add(asked.socket?.localPort);
      await text(response);
      expect(response.statusCode).toBe(status);
    }
    expect(sockets.size).toBe(1);
  });

  it('responds with 413 to a delivery that is too large, with and without a content length', async () => {
    const { store, handler } = handlerOf({ maxBodyBytes: 10_000 });
    const origin = await serve(handler.node);
    const announced = openRequest(origin, { 'content-type': 'application/json', 'content-length': 50_000 });
    announced.asked.write('[');
    const turnsOut = openRequest(origin, { 'content-type': 'application/json' });
    turnsOut.asked.write(`[${' '.repeat(20_000)}`);
    for (const { answered, asked } of [announced, turnsOut]) {
      expect(await answered).toMatchObject({ status: 413, headers: { connection: 'close' } });
      asked.destroy();
    }
    expect(store.triggers).toEqual([]);
  });

  it('responds with 408 to a delivery that is too slow, and ignores clients that disconnect', async () => {
    using warnings = recordWarnings();
    const { store, handler } = handlerOf({ requestTimeoutMs: 100 });
    const origin = await serve(handler.node);
    const slow = openRequest(origin, { 'content-type': 'application/json' });
    slow.asked.write('[{');
    expect(await slow.answered).toMatchObject({ status: 408, headers: { connection: 'close' } });
    for (let round = 0; round < 3; round += 1) {
      const leaving = openRequest(origin, { 'content-type': 'application/json', 'content-length': 100 });
      leaving.asked.write('[{');
      await new Promise((resolve) => leaving.asked.once('socket', (s) => s.once('connect', resolve)));
      leaving.asked.destroy();
      await expect(leaving.answered).rejects.toThrow();
    }
    expect((await post(origin, [gridSample])).status).toBe(200);
    expect([store.triggers.length, warnings.codes()]).toEqual([1, []]);
  });

  it('responds with 400 to a delivery that breaks off, even if the request is not from node:http', async () => {
    const { store, handler } = handlerOf();
    const request = new Readable({ read() {} });
    request.push('[{');
    const like = { method: 'POST', url: '/', headers: {}, complete: false, httpVersionMajor: 1 };
    const asked = Object.assign(request, like) as unknown as IncomingMessage;
    const response = new ServerResponse(asked);
    const answering = handler.node(asked, response);
    await waitFor(() => request.listenerCount('data') > 0);
    request.destroy(new Error('broken'));
    await answering;
    expect([response.statusCode, store.triggers]).toEqual([400, []]);
  });

  it('leaves a response unchanged that the application has already sent', async () => {
    using _warnings = recordWarnings();
    const { handler } = handlerOf();
    const origin = await serve(async (request, response) => {
      response.writeHead(202).end('theirs');
      await handler.node(request, response);
    });
    const response = await post(origin, [gridSample]);
    expect([response.status, await response.text()]).toEqual([202, 'theirs']);
  });
});

describe('eventGridHandler after a body parser', () => {
  it.each<[title: string, parse: (request: NodeRequest) => Promise<unknown>]>([
    ['set an object', json],
    ['set a text', text],
    ['set bytes', buffer],
    ['set an empty object for an unknown type', async () => ({})],
    ['ignored an unknown type', async () => undefined],
    ['set the encoding only', async (request) => void request.setEncoding('utf8')],
  ])('accepts events after a body parser that %s', async (_title, parse) => {
    const { store, handler } = handlerOf({
      minIntervalMs: 0,
      authorize: ({ url }) => url.searchParams.get('code') === 'a',
    });
    const origin = await serve(expressLike(handler, parse));
    for (const round of [1, 2, 3]) {
      const response = await post(`${origin}/hooks?code=a`, [gridSample]);
      expect([response.status, await response.json()]).toEqual([200, { accepted: 1, ignored: 0 }]);
      await waitFor(() => store.triggers.length === round);
    }
    expect((await post(`${origin}/hooks?code=b`, [gridSample])).status).toBe(401);
  });

  it('limits the size of a parsed body, and warns when a parser consumed the body', async () => {
    using warnings = recordWarnings();
    const { handler } = handlerOf({ maxBodyBytes: 50 });
    const large = await serve(expressLike(handler, text));
    const inParts = openRequest(large, {
      'content-type': 'application/json',
      'transfer-encoding': 'chunked',
    });
    inParts.asked.end(JSON.stringify([gridSample]));
    expect(await inParts.answered).toMatchObject({ status: 413 });
    const drained = await serve(
      expressLike(handler, async (request) => {
        await text(request);
        return undefined;
      }),
    );
    expect((await post(drained, [1])).status).toBe(500);
    expect(warnings.codes()).toEqual(['OPTION_INVALID']);
    expect(warnings.text()).toContain('was read before eventGridHandler received it');
  });
});

describe('eventGridHandler under many deliveries', () => {
  it('answers a thousand parallel deliveries before the refresh ends, with two refreshes in all', async () => {
    const { store, handler } = handlerOf({ minIntervalMs: 0 });
    store.held = true;
    const origin = await serve(handler.node);
    const statuses = await Promise.all(
      Array.from({ length: 1_000 }, async () => (await post(origin, [gridSample, gridSample])).status),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(store.triggers).toHaveLength(1);
    store.finish();
    await waitFor(() => store.triggers.length === 2);
    store.finish();
    expect((await post(origin, [gridSample])).status).toBe(200);
    await waitFor(() => store.triggers.length === 3);
    store.finish();
  });

  it('refreshes at most once a second during many deliveries, and once after the last one', async () => {
    const { store, handler } = handlerOf();
    const refreshes: number[] = [];
    const { refresh } = store;
    store.refresh = (options) => {
      refreshes.push(performance.now());
      return refresh.call(store, options);
    };
    const origin = await serve(handler.node);
    await waitFor(async () => {
      await Promise.all(Array.from({ length: 20 }, () => post(origin, [gridSample])));
      return refreshes.length >= 3;
    });
    const gaps = refreshes.slice(1).map((at, index) => at - (refreshes[index] as number));
    // A timer may fire up to a millisecond early.
    for (const gap of gaps) expect(gap).toBeGreaterThan(998);
    const before = refreshes.length;
    await post(origin, [gridSample]);
    await waitFor(() => refreshes.length > before, { what: 'the refresh after the last event' });
  });
});

it('refreshes a store whose source never hints, with node:https', async () => {
  const authority = await createAuthority();
  const { watch: _watch, ...source } = memory({ code: 'the-webhook-code', password: 'first' });
  const secrets = await SecretStore.open({
    secrets: { code: 'code', password: 'password' },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const handler = eventGridHandler(secrets, { authorize: querySecret(secrets, 'code'), minIntervalMs: 0 });
  const { chain, key } = await authority.issue();
  const port = await listen(createHttps({ cert: chain, key }, handler.node));
  const send = async (code: string) => {
    const url = `https://localhost:${port}/hooks?code=${code}`;
    const headers = { 'content-type': 'application/cloudevents-batch+json' };
    const asked = httpsRequest(url, { method: 'POST', ca: authority.cert, headers, agent: false });
    asked.end(JSON.stringify([cloudSample]));
    const [response] = await once(asked, 'response');
    return [response.statusCode, await text(response)] as const;
  };
  const triggers: string[] = [];
  secrets.on('change', ({ trigger }) => triggers.push(trigger));
  for (const password of ['second', 'third', 'fourth']) {
    source.set({ password });
    const [refused, body] = await send('another-code');
    expect([refused, body]).toEqual([401, '{"error":"unauthorized"}']);
    expect((await send('the-webhook-code'))[0]).toBe(200);
    await waitFor(() => secrets.reveal('password') === password);
  }
  expect(triggers).toEqual(['event-grid', 'event-grid', 'event-grid']);
  await secrets.close();
  expect((await send('the-webhook-code'))[0]).toBe(503);
});

it('accepts events and refuses bad requests with node:http2', async () => {
  const { store, handler } = handlerOf({
    maxBodyBytes: 5_000,
    authorize: ({ url, headers }) => url.search === '?a' && headers.get('x-one') === '1',
  });
  const server: Http2Server = createHttp2(handler.node);
  const session = connect(`http://127.0.0.1:${await listen(server)}`);
  onTestFinished(() => session.destroy());
  const send = async (body: string, headers: object = { 'x-one': '1' }) => {
    const path = { ':method': 'POST', ':path': '/hooks?a', 'content-type': 'application/json' };
    const stream = session.request({ ...path, ...(headers as Record<string, string>) });
    stream.end(body);
    const [answered] = await once(stream, 'response');
    stream.resume();
    return answered[':status'];
  };
  expect(await send(JSON.stringify([gridSample]))).toBe(200);
  expect(await send(JSON.stringify([gridSample]), {})).toBe(401);
  expect(await send(' '.repeat(6_000))).toBe(413);
  expect(await send('{')).toBe(400);
  expect(store.triggers).toEqual(['event-grid']);
});
