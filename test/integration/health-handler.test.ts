import { environment, mountedFiles, SecretStore } from 'hot-secrets';
import { type HealthHandlerOptions, healthHandler } from 'hot-secrets/http';
import { createTestMount } from 'hot-secrets/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, askUntil } from '../support/ask';
import { FRAGILE_STALENESS_MS, fragileMemory } from '../support/failing-source';
import { serve } from '../support/http-server';
import { waitFor } from '../support/wait-for';

const pair = { 'shop-user': 'leak-marker-user', 'shop-password': 'leak-marker-password' };

/** Serves the health of a store whose mount is polled every 20 ms. */
async function serveMount(options: HealthHandlerOptions) {
  const mount = await createTestMount(pair);
  onTestFinished(() => mount.cleanup());
  const store = await SecretStore.open({ sources: [mountedFiles(mount.path, { pollIntervalMs: 20 })] });
  onTestFinished(() => store.close());
  // Without a listener, errors become process warnings.
  store.on('error', () => {});
  return { mount, store, url: await serve(healthHandler(store, options).node) };
}

/** Serves the health of a store whose source can fail and hang, and has its own staleness limit. */
async function serveFragile(options: HealthHandlerOptions) {
  const source = fragileMemory(pair);
  const store = await SecretStore.open({ sources: [source], refreshTimeoutMs: 50 });
  onTestFinished(() => store.close());
  store.on('error', () => {});
  return { source, store, url: await serve(healthHandler(store, options).node) };
}

describe('healthHandler', () => {
  it('answers health requests with a status and numbers, but no name, value or path', async () => {
    const { mount, store, url } = await serveMount({ stale: 'fail', maxStalenessMs: 150 });
    const texts: string[] = [];
    const ask = async () => {
      const response = await fetch(url);
      texts.push(await response.text());
      return response.status;
    };
    await waitFor(async () => (await ask()) === 200);
    await mount.destroy();
    await waitFor(async () => (await ask()) === 503);
    await store.close();
    await ask();
    const states = new Set(texts.map((text) => JSON.parse(text).status));
    expect([...states]).toEqual(expect.arrayContaining(['ok', 'stale', 'closed']));
    for (const text of texts) {
      expect(text).not.toMatch(/leak-marker|shop|memory|mounted|hot-secrets-/);
      const known = ['generation', 'healthy', 'stalenessMs', 'status'];
      for (const key of Object.keys(JSON.parse(text))) expect(known).toContain(key);
    }
  });

  it('responds with 503 once a mount is missing for maxStalenessMs, and with 200 before that and once it is back', async () => {
    const { mount, store, url } = await serveMount({ stale: 'fail', maxStalenessMs: 800 });
    for (const round of [2, 3, 4]) {
      await mount.rotate({ 'shop-user': `leak-marker-${round}` });
      await waitFor(() => store.generation === round);
      await mount.destroy();
      const gone = await askUntil(url, ({ body }) => body.status === 'degraded');
      expect(gone).toMatchObject({ status: 200, body: { healthy: true } });
      await askUntil(url, ({ status }) => status === 503);
      expect((await ask(url)).body).toMatchObject({ healthy: false, status: 'stale', generation: round });
      await mount.recreate();
      await askUntil(url, ({ status }) => status === 200);
    }
  });

  it.each(['failing', 'hanging'] as const)(
    'responds with 200 by default and the staleness while a source is %s',
    async (mood) => {
      const { source, url } = await serveFragile({});
      source.mood = mood;
      const stale = await askUntil(url, ({ body }) => body.status === 'stale');
      expect(stale).toMatchObject({ status: 200, body: { healthy: true, generation: 1 } });
      expect(stale.body.stalenessMs).toBeGreaterThan(FRAGILE_STALENESS_MS);
    },
  );

  it.each(['failing', 'hanging'] as const)(
    "responds with 503 with stale: 'fail' while a source is %s",
    async (mood) => {
      const { source, url } = await serveFragile({ stale: 'fail' });
      await askUntil(url, ({ status }) => status === 200);
      source.mood = mood;
      const stale = await askUntil(url, ({ status }) => status === 503);
      expect(stale.body).toMatchObject({ healthy: false, status: 'stale' });
    },
  );

  it('prefers maxStalenessMs of the health handler to the limit of the source', async () => {
    const { source, store, url } = await serveFragile({ stale: 'fail', maxStalenessMs: 60_000 });
    source.mood = 'failing';
    await waitFor(() => store.health().status === 'stale');
    expect(await ask(url)).toMatchObject({ status: 200, body: { healthy: true, status: 'degraded' } });
  });

  it('ignores the age of the environment in health, which the store reads once', async () => {
    const mount = await createTestMount(pair);
    onTestFinished(() => mount.cleanup());
    const sources = [mountedFiles(mount.path, { pollIntervalMs: 20 }), environment({ REGION: 'here' })];
    const store = await SecretStore.open({ secrets: { user: 'shop-user', region: 'region' }, sources });
    onTestFinished(() => store.close());
    const url = await serve(healthHandler(store, { stale: 'fail', maxStalenessMs: 500 }).node);
    await waitFor(() => (store.health().sources[1]?.lastRefreshAgeMs ?? 0) > 600);
    const { body } = await askUntil(url, ({ status }) => status === 200);
    expect(body).toMatchObject({ healthy: true, status: 'ok' });
    expect(body.stalenessMs).toBeLessThan(500);
  });

  it('fails readiness but not liveness once the store is closed', async () => {
    const { store } = await serveFragile({});
    const ready = await serve(healthHandler(store).node);
    const live = await serve(healthHandler(store, { probe: 'liveness' }).node);
    expect([(await ask(ready)).status, (await ask(live)).status]).toEqual([200, 200]);
    await store.close();
    expect(await ask(ready)).toMatchObject({ status: 503, body: { healthy: false, status: 'closed' } });
    expect(await ask(live)).toMatchObject({ status: 200, body: { healthy: true, status: 'closed' } });
  });

  it("fails liveness of a stale store only with stale: 'fail'", async () => {
    const { source, store } = await serveFragile({});
    const [patient, strict] = await Promise.all([
      serve(healthHandler(store, { probe: 'liveness' }).node),
      serve(healthHandler(store, { probe: 'liveness', stale: 'fail' }).node),
    ]);
    source.mood = 'failing';
    await askUntil(strict, ({ status }) => status === 503);
    expect((await ask(patient)).status).toBe(200);
  });

  it('answers health requests with GET and HEAD only, and forbids caching', async () => {
    const { url } = await serveFragile({});
    const got = await fetch(url);
    expect(got.headers.get('cache-control')).toBe('no-store');
    expect(await got.json()).toMatchObject({ healthy: true });
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const refused = await fetch(url, { method });
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });

  it('answers Web requests with 200, and with 503 once the store is closed', async () => {
    const { store } = await serveFragile({});
    const handler = healthHandler(store);
    expect((await handler(new Request('http://localhost/readyz'))).status).toBe(200);
    await store.close();
    expect((await handler(new Request('http://localhost/readyz'))).status).toBe(503);
  });

  it.each([
    ['a misspelt option', { stales: 'fail' }, 'OPTION_UNKNOWN'],
    ['an unknown value of stale', { stale: 'ignore' }, 'OPTION_INVALID'],
    ['a limit that is not a number', { maxStalenessMs: '1s' }, 'OPTION_INVALID'],
    ['an unknown probe', { probe: 'startup' }, 'OPTION_INVALID'],
  ])('refuses to make a health handler with %s', async (_what, options, code) => {
    const { store } = await serveFragile({});
    expect(() => healthHandler(store, options as never)).toThrow(expect.objectContaining({ code }));
  });
});
