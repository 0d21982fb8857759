import { createServer } from 'node:http';
import underPressure from '@fastify/under-pressure';
import { createTerminus } from '@godaddy/terminus';
import fastify from 'fastify';
import { SecretStore } from 'hot-secrets';
import { type HealthOptions, healthCheck } from 'hot-secrets/http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, askUntil } from '../support/ask';
import { fragileMemory } from '../support/failing-source';
import { listen } from '../support/http-server';
import { waitFor } from '../support/wait-for';

async function openFragileStore() {
  const source = fragileMemory({ 'shop-user': 'leak-marker-user' });
  const store = await SecretStore.open({ sources: [source] });
  onTestFinished(() => store.close());
  store.on('error', () => {});
  return { source, store };
}

type FragileStore = Awaited<ReturnType<typeof openFragileStore>>;

/** Serves a check with a package. Resolves with its URL. */
type Serve = (store: FragileStore['store'], options: HealthOptions) => Promise<string>;

const withTerminus: Serve = async (store, options) => {
  const server = createServer((_request, response) => response.end());
  const before = process.listeners('SIGUSR2');
  // Terminus listens to signals until the process ends.
  onTestFinished(() => {
    const added = process.listeners('SIGUSR2').filter((listener) => !before.includes(listener));
    for (const listener of added) process.off('SIGUSR2', listener);
  });
  createTerminus(server, {
    signal: 'SIGUSR2',
    healthChecks: { '/healthz': healthCheck(store, options), verbatim: true },
    statusOkResponse: {},
  });
  return `http://127.0.0.1:${await listen(server)}/healthz`;
};

const withUnderPressure: Serve = async (store, options) => {
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(underPressure, {
    healthCheck: healthCheck(store, options),
    healthCheckInterval: 20,
    exposeStatusRoute: '/healthz',
  });
  app.get('/', async () => 'served');
  return `${await app.listen({ port: 0, host: '127.0.0.1' })}/healthz`;
};

describe.each([
  ['@godaddy/terminus', withTerminus],
  ['@fastify/under-pressure', withUnderPressure],
])('healthCheck with %s', (_name, serve) => {
  it("fails a health check with stale: 'fail' while the store is stale, and once it is closed", async () => {
    const { source, store } = await openFragileStore();
    const url = await serve(store, { stale: 'fail' });
    for (let round = 0; round < 3; round += 1) {
      await askUntil(url, ({ status }) => status === 200);
      source.mood = 'failing';
      const failed = await askUntil(url, ({ status }) => status === 503);
      expect(JSON.stringify(failed)).not.toMatch(/leak-marker|shop-user/);
      source.mood = 'ok';
    }
    await store.close();
    await askUntil(url, ({ status }) => status === 503);
  });

  it('passes a health check of a stale store by default', async () => {
    const { source, store } = await openFragileStore();
    const url = await serve(store, {});
    source.mood = 'hanging';
    await waitFor(() => store.health().status === 'stale');
    expect((await ask(url)).status).toBe(200);
  });
});

describe('healthCheck as the health of @fastify/under-pressure', () => {
  it('makes @fastify/under-pressure refuse all requests while the store is stale', async () => {
    const { source, store } = await openFragileStore();
    const url = (await withUnderPressure(store, { stale: 'fail' })).replace('/healthz', '/');
    await askUntil(url, ({ body }) => body === 'served');
    source.mood = 'failing';
    await askUntil(url, ({ status }) => status === 503);
  });
});

describe('healthCheck', () => {
  it('rejects a health check with the code of its cause, and without names or values', async () => {
    const { store } = await openFragileStore();
    const check = healthCheck(store, { stale: 'fail', maxStalenessMs: 0 });
    const stale: unknown = await waitFor(() =>
      check().then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
    expect(stale).toMatchObject({ code: 'STORE_STALE' });
    expect(String(stale)).not.toMatch(/leak-marker|shop-user/);
    await store.close();
    await expect(check()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});
