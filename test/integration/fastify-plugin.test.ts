import fastify from 'fastify';
import { SecretStore } from 'hot-secrets';
import { hotSecrets } from 'hot-secrets/fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentMemory } from '../support/silent-source';
import { waitFor } from '../support/wait-for';

async function openStore(name: string) {
  const source = silentMemory({ user: `${name}-0` });
  const store = await SecretStore.open({ secrets: { user: 'user' }, sources: [source] });
  onTestFinished(() => store.close());
  let round = 0;
  return {
    store,
    async rotate() {
      round += 1;
      source.set({ user: `${name}-${round}` });
      await store.refresh();
    },
  };
}

describe('the Fastify plugin', () => {
  it('applies the Fastify plugin to its scope only, so that two scopes can use the same name', async () => {
    const [shop, billing] = [await openStore('shop'), await openStore('billing')];
    await using app = fastify();
    for (const [prefix, { store }] of [
      ['/shop', shop],
      ['/billing', billing],
    ] as const) {
      await app.register(
        async (scope) => {
          await scope.register(hotSecrets, { store, endpoints: { authorize: () => true } });
          scope.get('/user', async (request) => ({ user: request.secrets.reveal('user') }));
          expect(scope.secrets).toBe(store);
        },
        { prefix },
      );
    }
    app.get('/outside', async (request) => ({ secrets: typeof request.secrets }));
    const get = async (url: string) => (await app.inject(url)).json();
    await shop.rotate();
    expect(await get('/shop/user')).toEqual({ user: 'shop-1' });
    expect(await get('/billing/user')).toEqual({ user: 'billing-0' });
    expect(await get('/outside')).toEqual({ secrets: 'undefined' });
    expect((await app.inject('/billing/-/secrets/ready')).statusCode).toBe(200);
    expect((await app.inject('/-/secrets/ready')).statusCode).toBe(404);
  });

  it.each([{ ignoreTrailingSlash: true }, { routerOptions: { ignoreTrailingSlash: true } }])(
    'serves the endpoints when Fastify ignores trailing slashes: %j',
    async (options) => {
      const { store } = await openStore('shop');
      await using app = fastify(options);
      await app.register(hotSecrets, { store, endpoints: { authorize: () => true } });
      for (const url of ['/-/secrets', '/-/secrets/', '/-/secrets/ready/']) {
        expect((await app.inject(url)).statusCode).toBe(200);
      }
    },
  );

  it('leaves the store open with closeStore: false, but stops calling onRotate', async () => {
    const { store, rotate } = await openStore('shop');
    const seen: number[] = [];
    const app = fastify();
    await app.register(hotSecrets, {
      store,
      closeStore: false,
      onRotate: ({ generation }) => seen.push(generation),
    });
    await app.ready();
    for (let round = 0; round < 3; round += 1) await rotate();
    await waitFor(() => seen.length === 3);
    await app.close();
    await rotate();
    expect(store.reveal('user')).toBe('shop-4');
    expect(seen).toEqual([2, 3, 4]);
  });
});
