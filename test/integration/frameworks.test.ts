import { setImmediate } from 'node:timers/promises';
import { mountedFiles, SecretStore, type SecretsError } from 'hot-secrets';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deferred } from '../support/deferred';
import { frameworks, type PairStore, type Route, type StartApp } from '../support/framework-stage';
import { startLoad } from '../support/load';
import { startMountWriter } from '../support/mount-writer';
import { silentMemory } from '../support/silent-source';
import { waitFor } from '../support/wait-for';

const definitions = { user: 'user', password: 'password' };

async function openMemory(first: string) {
  const source = silentMemory({ user: `${first}-user`, password: `${first}-password` });
  const store = await SecretStore.open({ secrets: definitions, sources: [source] });
  onTestFinished(() => store.close());
  return {
    store,
    async rotate(name: string) {
      source.set({ user: `${name}-user`, password: `${name}-password` });
      await store.refresh();
    },
  };
}

/** Reads a pair like a service: one half, some asynchronous work, the other half. */
const pairSlowly: Route = async ({ secrets }) => {
  const user = secrets?.reveal('user');
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
  return { user, password: secrets?.reveal('password'), generation: secrets?.generation };
};

const get = async (url: string) => {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
};

describe.each(Object.entries(frameworks))('%s', (_name, start: StartApp) => {
  it('gives each request one generation while another process swaps the mount', async () => {
    await using writer = await startMountWriter({ content: { user: 'value-0', password: 'value-0' } });
    await using store: PairStore = await SecretStore.open({
      secrets: definitions,
      sources: [mountedFiles(writer.path)],
    });
    const app = await start([[store]], { '/pair': pairSlowly });
    const seen = new Set<number>();
    const swapping = writer.swapUntilStopped({ names: ['user', 'password'], gapMs: 1 });
    const load = startLoad(8, async () => {
      const { body } = await get(`${app.url}/pair`);
      if (body.user !== body.password) throw new Error(`${body.user} with ${body.password}`);
      seen.add(body.generation);
    });
    await waitFor(() => load.done > 100 && seen.size > 10, { timeoutMs: 25_000 });
    await swapping.stop();
    expect((await load.stop()).failures).toEqual([]);
  });

  it('takes the snapshot of a request at its first read, and keeps it until the request ends', async () => {
    const { store, rotate } = await openMemory('first');
    const [arrived, mayRead, hasRead, mayEnd] = [deferred(), deferred(), deferred(), deferred()];
    const app = await start([[store]], {
      '/slow': async ({ secrets }) => {
        arrived.resolve();
        await mayRead.promise;
        const user = secrets?.reveal('user');
        hasRead.resolve();
        await mayEnd.promise;
        return { user, password: secrets?.reveal('password') };
      },
    });
    const answer = get(`${app.url}/slow`);
    await arrived.promise;
    await rotate('second');
    mayRead.resolve();
    await hasRead.promise;
    await rotate('third');
    await rotate('fourth');
    mayEnd.resolve();
    expect((await answer).body).toEqual({ user: 'second-user', password: 'second-password' });
    expect(store.reveal('user')).toBe('fourth-user');
  });

  it('responds with 503 to requests that first read a secret after the store has closed, and serves all others', async () => {
    const { store } = await openMemory('first');
    const mayContinue = deferred();
    const hasRead = deferred();
    const app = await start([[store]], {
      '/pair': pairSlowly,
      '/plain': () => ({ plain: true }),
      '/read-before': async ({ secrets }) => {
        const user = secrets?.reveal('user');
        hasRead.resolve();
        await mayContinue.promise;
        return { user, password: secrets?.reveal('password') };
      },
    });
    const readBefore = get(`${app.url}/read-before`);
    await hasRead.promise;
    await store.close();
    mayContinue.resolve();
    expect(await readBefore).toEqual({
      status: 200,
      body: { user: 'first-user', password: 'first-password' },
    });
    expect((await get(`${app.url}/pair`)).status).toBe(503);
    expect(await get(`${app.url}/plain`)).toEqual({ status: 200, body: { plain: true } });
  });

  it('gives each request snapshots of two stores under two names', async () => {
    const [shop, billing] = [await openMemory('shop'), await openMemory('billing')];
    const app = await start([[shop.store], [billing.store, { as: 'billing' }]], {
      '/both': ({ secrets, billing: other }) => ({
        shop: secrets?.reveal('user'),
        billing: other?.reveal('user'),
      }),
    });
    for (const round of [1, 2, 3]) {
      await billing.rotate(`billing-${round}`);
      const { body } = await get(`${app.url}/both`);
      expect(body).toEqual({ shop: 'shop-user', billing: `billing-${round}-user` });
    }
  });

  it('refuses two stores under one name, at start-up or with 500', async () => {
    const [shop, billing] = [await openMemory('shop'), await openMemory('billing')];
    const started = start([[shop.store], [billing.store]], { '/pair': pairSlowly }).then(
      async ({ url }) => (await get(`${url}/pair`)).status,
      (error: SecretsError) => error.code,
    );
    // Only some frameworks reveal both stores at start-up. The others refuse each request.
    expect([500, 'OPTION_INVALID']).toContain(await started);
  });

  it('closes the store when the application closes', async () => {
    const { store } = await openMemory('first');
    const app = await start([[store]], { '/pair': pairSlowly });
    expect((await get(`${app.url}/pair`)).status).toBe(200);
    await app.close();
    expect(() => store.snapshot()).toThrow(expect.objectContaining({ code: 'STORE_CLOSED' }));
  });

  it('calls onRotate after each rotation with the snapshot of its generation', async () => {
    const { store, rotate } = await openMemory('first');
    const seen: string[] = [];
    await start(
      [
        [
          store,
          { onRotate: ({ trigger }, { snapshot }) => seen.push(`${trigger} ${snapshot.reveal('user')}`) },
        ],
      ],
      {},
    );
    for (const name of ['second', 'third', 'fourth']) await rotate(name);
    await waitFor(() => seen.length === 3);
    expect(seen).toEqual(['refresh second-user', 'refresh third-user', 'refresh fourth-user']);
  });

  it.each<[title: string, code: string, options: object]>([
    ['endpoints without authorize', 'OPTION_INVALID', { endpoints: {} }],
    ['an invalid path', 'OPTION_INVALID', { endpoints: { authorize: () => true, basePath: 'x/' } }],
    ['a misspelt option', 'OPTION_UNKNOWN', { onRotated: () => {} }],
    ['a misspelt option of the endpoints', 'OPTION_UNKNOWN', { endpoints: { authorise: () => true } }],
    ['a hook that is not a function', 'OPTION_INVALID', { onRotate: 'log' }],
    ['an invalid name', 'OPTION_INVALID', { as: 'my secrets' }],
  ])('refuses to start an application with %s', async (_title, code, options) => {
    const { store } = await openMemory('first');
    await expect(start([[store, options as never]], {})).rejects.toMatchObject({ code });
  });

  it('refuses to start an application without a store', async () => {
    for (const store of [undefined, null, Promise.resolve({}), () => ({})]) {
      await expect(start([[store as never]], {})).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    }
  });
});
