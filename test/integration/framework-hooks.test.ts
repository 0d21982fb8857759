import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { attachSecrets } from 'hot-secrets/express';
import { hotSecrets } from 'hot-secrets/fastify';
import * as ofHono from 'hot-secrets/hono';
import { reloadHandler } from 'hot-secrets/http';
import * as ofKoa from 'hot-secrets/koa';
import { SecretsModule } from 'hot-secrets/nestjs';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import { openRequest, serve } from '../support/http-server';
import { openPair, platforms, startNest } from '../support/nest-stage';

const endpoints = { authorize: () => true };
const READY = '/-/secrets/ready';

/** What a client sees of an endpoint in an application whose hooks set headers and measure responses. */
async function seen(url: string, path = READY, method = 'GET') {
  const response = await fetch(url + path, { method, signal: AbortSignal.timeout(10_000) });
  const { headers, status } = response;
  const names = ['x-early', 'x-late', 'x-size', 'set-cookie', 'cache-control', 'content-type'];
  const entries = names.map((name) => [name, headers.get(name)]).filter(([, value]) => value !== null);
  return { status, text: await response.text(), ...Object.fromEntries(entries) };
}

const open = async () => (await openPair('shop')).store;
const ready = {
  status: 200,
  'content-type': expect.stringMatching(/^application\/json/),
  'cache-control': 'no-store',
};
const text = '{"healthy":true,"status":"ok","generation":1}';

describe('the endpoints of Koa', () => {
  async function startKoa() {
    const store = await open();
    const app = new Koa();
    const errors: unknown[] = [];
    const seenByApplication: unknown[] = [];
    app.on('error', (error) => errors.push(error));
    app.use(async (ctx, next) => {
      ctx.set('x-early', 'yes');
      await next();
      seenByApplication.push([ctx.status, ctx.body]);
      ctx.set('x-late', 'yes');
      ctx.cookies.set('visited', '1');
      if (typeof ctx.body === 'string') ctx.set('x-size', String(ctx.body.length));
      if (ctx.query.compress !== undefined) ctx.body = (ctx.body as string).toUpperCase();
    });
    app.use(ofKoa.secretsMiddleware(store, { endpoints }));
    app.use(async (ctx) => {
      ctx.body = 'mine';
    });
    return { store, url: await serve(app.callback()), errors, seenByApplication };
  }

  it('answers through the context of Koa, so that middlewares see and change the response', async () => {
    const { url, errors, seenByApplication } = await startKoa();
    const hooks = {
      'x-early': 'yes',
      'x-late': 'yes',
      'x-size': '45',
      'set-cookie': 'visited=1; path=/; httponly',
    };
    for (let probe = 0; probe < 3; probe += 1) expect(await seen(url)).toEqual({ ...ready, ...hooks, text });
    expect(await seen(url, `${READY}?compress`)).toMatchObject({ text: text.toUpperCase() });
    expect(await seen(url, READY, 'HEAD')).toMatchObject({ status: 200, text: '', 'x-size': '45' });
    expect(await seen(url, '/-/secrets/reload')).toMatchObject({ status: 405, 'x-late': 'yes' });
    expect(seenByApplication.slice(0, 1)).toEqual([[200, text]]);
    expect(errors).toEqual([]);
  });

  it('serves a handler on a route of Koa through its answer', async () => {
    const { store } = await startKoa();
    const reload = reloadHandler(store, { authorize: () => true });
    const app = new Koa().use(async (ctx) => {
      const { status, headers, body } = await reload.answer(ctx.req);
      Object.assign(ctx, { status, body });
      ctx.set(headers);
    });
    const url = await serve(app.callback());
    const answer = await seen(url, '/', 'POST');
    expect(answer).toMatchObject({ ...ready, text: '{"generation":1,"changed":[],"status":"ok"}' });
    const { asked, answered } = openRequest(url, { 'content-length': 10_000_000 });
    asked.on('error', () => {}).write('the beginning');
    expect(await answered).toMatchObject({ status: 200, headers: { connection: 'close' } });
    asked.destroy();
  });
});

/** Hooks of Fastify that set headers and see the payload. */
function addHooks(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-early', 'yes'));
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-late', 'yes').header('x-size', String((payload as string).length));
    return (payload as string).replace('"ok"', '"OK"');
  });
}
const hooked = {
  ...ready,
  'x-early': 'yes',
  'x-late': 'yes',
  'x-size': '45',
  text: text.replace('"ok"', '"OK"'),
};

describe('the endpoints of Fastify', () => {
  it('answers through the reply of Fastify, so that hooks see and change the response', async () => {
    await using app = fastify();
    addHooks(app);
    await app.register(hotSecrets, { store: await open(), endpoints });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await seen(url)).toEqual(hooked);
    expect(await seen(url, READY, 'HEAD')).toMatchObject({ status: 200, text: '', 'x-size': '45' });
    expect(await seen(url, '/-/secrets?format=html')).toMatchObject({
      status: 200,
      'content-type': 'text/html; charset=utf-8',
    });
  });
});

describe('the endpoints of Hono', () => {
  it('answers through the context of Hono, so that middlewares see and change the response', async () => {
    const app = new Hono();
    app.use(cors({ origin: 'https://ops.example' }));
    app.use(async (c, next) => {
      c.header('x-early', 'yes');
      await next();
      c.header('x-late', 'yes');
      c.res.headers.set('x-size', String((await c.res.clone().text()).length));
    });
    app.use(ofHono.secretsMiddleware(await open(), { endpoints }));
    const url = await serve(getRequestListener(app.fetch));
    expect(await seen(url)).toEqual({ ...ready, 'x-early': 'yes', 'x-late': 'yes', 'x-size': '45', text });
    const answer = await app.request(READY, { headers: { origin: 'https://ops.example' } });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://ops.example');
    expect(await seen(url, READY, 'HEAD')).toMatchObject({ status: 200, text: '' });
  });
});

describe('the endpoints of Express', () => {
  it('answers in Express with the headers that earlier middlewares set', async () => {
    const app = express().use((_request, response, next) => {
      response.setHeader('x-early', 'yes');
      next();
    });
    attachSecrets(app, await open(), { endpoints });
    expect(await seen(await serve(app))).toEqual({ ...ready, 'x-early': 'yes', text });
  });
});

describe.each(platforms)('the endpoints of NestJS on %s', (platform) => {
  it('answers in NestJS with what middlewares and hooks of the platform add', async () => {
    const store = await open();
    const imports = [SecretsModule.forRoot({ store, endpoints })];
    const { url } = await startNest(platform, { imports }, (app) => {
      const instance = app.getHttpAdapter().getInstance();
      if (platform === 'fastify') addHooks(instance as FastifyInstance);
      else
        app.use(
          (
            _request: unknown,
            response: { setHeader(name: string, value: string): void },
            next: () => void,
          ) => {
            response.setHeader('x-early', 'yes');
            next();
          },
        );
    });
    expect(await seen(url)).toEqual(platform === 'fastify' ? hooked : { ...ready, 'x-early': 'yes', text });
  });
});
