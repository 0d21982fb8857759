import { once } from 'node:events';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import type { SecretStore, Snapshot } from 'hot-secrets';
import * as ofExpress from 'hot-secrets/express';
import { hotSecrets } from 'hot-secrets/fastify';
import * as ofHono from 'hot-secrets/hono';
import * as ofKoa from 'hot-secrets/koa';
import Koa from 'koa';
import { onTestFinished } from 'vitest';
import type { FrameworkOptions } from '../../src/frameworks/setup';

export interface Pair {
  readonly user: string;
  readonly password: string;
}

export type PairStore = SecretStore<Pair>;

/** A route of a test. It gets the snapshots of its request by name, and returns the JSON to send. */
export type Route = (snapshots: Readonly<Record<string, Snapshot<Pair>>>) => unknown;

/** A store with the options of its middleware. */
export type Mounted = readonly [store: PairStore, options?: FrameworkOptions<Pair>];

/** A running application. `close` ends it the way its framework does. */
export interface RunningApp {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts an application with these stores and routes. */
export type StartApp = (
  mounted: readonly Mounted[],
  routes: Readonly<Record<string, Route>>,
) => Promise<RunningApp>;

type Express = typeof express;
const express4 = createRequire(import.meta.url)('express4') as Express;

type Mount = (app: ReturnType<Express>, ...mounted: Mounted) => void;

const attach: Mount = (app, store, options) => ofExpress.attachSecrets(app, store, options);
const use: Mount = (app, store, options) => app.use(ofExpress.secretsMiddleware(store, options));

const startExpress =
  (framework: Express, mount: Mount): StartApp =>
  async (mounted, routes) => {
    const app = framework();
    for (const [store, options] of mounted) mount(app, store, options);
    for (const [path, route] of Object.entries(routes)) {
      app.get(path, (request, response, next) => {
        Promise.resolve(route(request as never)).then((result) => response.json(result), next);
      });
    }
    // Otherwise Express prints the stacks of unhandled errors.
    app.set('env', 'test');
    const server = app.listen(0, '127.0.0.1');
    return running(server, mounted, ofExpress.closeWithServer);
  };

const startKoa: StartApp = async (mounted, routes) => {
  const app = new Koa();
  app.silent = true;
  for (const [store, options] of mounted) app.use(ofKoa.secretsMiddleware(store, options) as Koa.Middleware);
  app.use(async (ctx, next) => {
    const route = routes[ctx.path];
    if (route === undefined) return next();
    ctx.body = await route(ctx as never);
  });
  return running(app.listen(0, '127.0.0.1'), mounted, ofKoa.closeWithServer);
};

const startHono: StartApp = async (mounted, routes) => {
  const app = new Hono();
  for (const [store, options] of mounted) app.use(ofHono.secretsMiddleware(store, options));
  for (const [path, route] of Object.entries(routes)) {
    app.get(path, async (c) => c.json((await route(c.var as never)) as object));
  }
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server;
  return running(server, mounted, ofHono.closeWithServer);
};

const startFastify: StartApp = async (mounted, routes) => {
  const app = fastify();
  for (const [store, options] of mounted) await app.register(hotSecrets, { store, ...options });
  for (const [path, route] of Object.entries(routes))
    app.get(path, async (request) => route(request as never));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => app.close());
  return { url, close: () => app.close() };
};

async function running(
  server: Server,
  mounted: readonly Mounted[],
  closeWithServer: typeof ofExpress.closeWithServer,
): Promise<RunningApp> {
  const closed = mounted.map(([store]) => closeWithServer(server, store));
  if (!server.listening) await once(server, 'listening');
  const close = async () => {
    server.close();
    server.closeIdleConnections();
    await Promise.all(closed);
  };
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

export const frameworks: Readonly<Record<string, StartApp>> = {
  'express 5': startExpress(express, attach),
  'express 4': startExpress(express4, attach),
  'a middleware of express 5': startExpress(express, use),
  'a middleware of express 4': startExpress(express4, use),
  fastify: startFastify,
  koa: startKoa,
  hono: startHono,
};
