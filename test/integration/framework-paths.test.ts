import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { attachSecrets, secretsMiddleware } from 'hot-secrets/express';
import { hotSecrets } from 'hot-secrets/fastify';
import * as ofHono from 'hot-secrets/hono';
import * as ofKoa from 'hot-secrets/koa';
import { SecretsModule } from 'hot-secrets/nestjs';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import type { EndpointsOptions } from '../../src/frameworks/setup';
import { frameworks, type Mounted, type PairStore, type StartApp } from '../support/framework-stage';
import { serve } from '../support/http-server';
import { createNest, openPair, platforms, startNest } from '../support/nest-stage';

const open = async (name: string): Promise<PairStore> => (await openPair(name)).store;
const authorize = () => true;
const at = (basePath?: string): { readonly endpoints: EndpointsOptions } => ({
  endpoints: { authorize, basePath },
});
const statusOf = async (url: string) => (await fetch(url, { signal: AbortSignal.timeout(10_000) })).status;
const generationAt = async (url: string) =>
  ((await (await fetch(url)).json()) as { generation: unknown }).generation;
const taken = { code: 'OPTION_INVALID', message: expect.stringContaining('is already the path of') };

/** Starts an application, and returns the code of the error, or the status of the first request. */
const outcomeOf = (start: StartApp, mounted: readonly Mounted[], firstPath: string) =>
  start(mounted, { '/': () => ({}) }).then(
    ({ url }) => statusOf(url + firstPath),
    (error: { readonly code: string }) => error.code,
  );

describe.each(Object.entries(frameworks))('the paths of endpoints in %s', (name, start) => {
  // A middleware learns from a request what it is mounted in, the others from the application.
  const refused = /middleware|koa|hono/.test(name) ? 500 : 'OPTION_INVALID';

  it.each([
    ['of a second store at the same path', undefined, undefined],
    ['that differ in letter case', '/ops', '/OPS'],
    ['whose page is at the reload path of the others', '/ops', '/ops/reload'],
    ['whose reload path is the page of the others', '/ops/reload', '/ops'],
  ])('refuses endpoints %s, at start-up or with the first request', async (_title, first, second) => {
    const [shop, billing] = [await open('shop'), await open('billing')];
    const mounted = [
      [shop, at(first)],
      [billing, { as: 'billing', ...at(second) }],
    ] as const;
    expect(await outcomeOf(start, mounted, `${first ?? '/-/secrets'}/ready`)).toBe(refused);
  });

  it('refuses endpoints of the same store at the same path with other options', async () => {
    const shop = await open('shop');
    const mounted = [
      [shop, at()],
      [shop, { as: 'again', endpoints: { authorize: () => false } }],
    ] as const;
    expect(await outcomeOf(start, mounted, '/')).toBe(refused);
  });

  it('serves the endpoints of two stores at two paths', async () => {
    const [shop, billing] = [await openPair('shop'), await openPair('billing')];
    const mounted: readonly Mounted[] = [
      [shop.store, at()],
      [billing.store, { as: 'billing', ...at('/-/secrets/billing') }],
    ];
    const { url } = await start(mounted, {});
    await billing.rotate('next');
    expect(await generationAt(`${url}/-/secrets/ready`)).toBe(1);
    expect(await generationAt(`${url}/-/secrets/billing/ready`)).toBe(2);
  });
});

describe.each(platforms)('the paths of endpoints in NestJS on %s', (platform) => {
  it('refuses endpoints of a second store at the same path when the application starts', async () => {
    const [shop, billing] = [await open('shop'), await open('billing')];
    const imports = [
      SecretsModule.forRoot({ store: shop, ...at() }),
      SecretsModule.forRoot({ store: billing, as: 'billing', ...at() }),
    ];
    const app = await createNest(platform, { imports });
    await expect(app.init()).rejects.toMatchObject(taken);
  });

  it('serves endpoints of two stores at the same path in two applications of one process', async () => {
    for (const store of [await open('shop'), await open('billing')]) {
      const { url } = await startNest(platform, { imports: [SecretsModule.forRoot({ store, ...at() })] });
      expect(await statusOf(`${url}/-/secrets/ready`)).toBe(200);
    }
  });
});

describe('the paths of endpoints in nested applications', () => {
  it('refuses endpoints in Express that meet where an application is mounted', async () => {
    const [app, inner] = [express(), express()];
    attachSecrets(app, await open('shop'), at('/admin/-/secrets'));
    attachSecrets(inner, await open('billing'), at());
    expect(() => app.use('/admin', inner)).toThrow(expect.objectContaining(taken));
    expect(() => app.use('/other', inner)).not.toThrow();
  });

  it('refuses every request once a router of Express turns out to serve the endpoints of another store', async () => {
    const [app, router] = [express().set('env', 'test'), express.Router()];
    attachSecrets(app, await open('shop'), at('/admin/ops'));
    router.use(secretsMiddleware(await open('billing'), { as: 'billing', ...at('/ops') }));
    app.use('/admin', router);
    const url = await serve(app);
    expect(await statusOf(`${url}/admin/ops/ready`)).toBe(200);
    expect(await statusOf(`${url}/admin/anything`)).toBe(500);
    expect(await statusOf(`${url}/admin/ops/ready`)).toBe(500);
  });

  it('serves one middleware that is mounted twice, and two middlewares below two routers of Express', async () => {
    const app = express();
    const shop = secretsMiddleware(await open('shop'), at());
    app
      .use('/a', shop)
      .use('/b', shop)
      .use('/c', secretsMiddleware(await open('billing'), at()));
    const url = await serve(app);
    for (const path of ['/a', '/b', '/c', '/A']) {
      expect(await statusOf(`${url}${path}/-/secrets/ready`)).toBe(200);
    }
  });

  it('refuses endpoints of two middlewares in front of a server of node:http', async () => {
    const shop = secretsMiddleware(await open('shop'), at());
    const billing = secretsMiddleware(await open('billing'), { as: 'billing', ...at() });
    const url = await serve((request, response) => {
      const end = (status: number) => response.writeHead(status).end();
      shop(request, response, (failed) => {
        if (failed) return end(500);
        billing(request, response, (error) => end(error === undefined ? 404 : 500));
      });
    });
    expect(await statusOf(`${url}/anything`)).toBe(500);
    expect(await statusOf(`${url}/-/secrets/ready`)).toBe(500);
  });

  it('refuses endpoints in Koa that only a nested middleware shows', async () => {
    const app = new Koa();
    app.silent = true;
    app.use(ofKoa.secretsMiddleware(await open('shop'), at()));
    const nested = ofKoa.secretsMiddleware(await open('billing'), { as: 'billing', ...at() });
    app.use((ctx, next) => nested(ctx as never, next));
    const url = await serve(app.callback());
    expect(await statusOf(`${url}/anything`)).toBe(500);
    expect(await statusOf(`${url}/-/secrets/ready`)).toBe(500);
  });

  it('refuses endpoints in Hono that a mounted application serves at the same path', async () => {
    const [app, inner] = [new Hono(), new Hono()];
    app.onError((_error, c) => c.text('', 500));
    inner.use(ofHono.secretsMiddleware(await open('billing'), { as: 'billing', ...at('/inner/ops') }));
    app.use(ofHono.secretsMiddleware(await open('shop'), at('/inner/ops'))).route('/inner', inner);
    expect((await app.request('/inner/ops/ready')).status).toBe(500);
  });

  it('refuses endpoints in Fastify at the path of a route, or of another scope', async () => {
    const store = await open('shop');
    await using app = fastify();
    app.get('/ops/ready', async () => 'mine');
    await expect(app.register(hotSecrets, { store, ...at('/ops') })).rejects.toMatchObject(taken);
    await using other = fastify();
    await other.register((scope) => scope.register(hotSecrets, { store, ...at('/ops') }), { prefix: '/x' });
    const again = other.register(hotSecrets, { store, as: 'again', ...at('/X/ops') });
    await expect(again).rejects.toMatchObject(taken);
  });

  it('leaves a path of the endpoints to a route of the application that comes first', async () => {
    const app = express();
    app.get('/-/secrets/ready', (_request, response) => response.json({ generation: 'mine' }));
    attachSecrets(app, await open('shop'), at());
    expect(await generationAt(`${await serve(app)}/-/secrets/ready`)).toBe('mine');
  });
});
