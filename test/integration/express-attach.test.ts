import express from 'express';
import { SecretStore } from 'hot-secrets';
import { attachSecrets, secretsMiddleware } from 'hot-secrets/express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../support/http-server';
import { silentMemory } from '../support/silent-source';

async function openStore(name: string) {
  const source = silentMemory({ user: `${name}-0`, password: `${name}-0` });
  const store = await SecretStore.open({
    secrets: { user: 'user', password: 'password' },
    sources: [source],
  });
  onTestFinished(() => store.close());
  return {
    store,
    async rotate(round: number) {
      source.set({ user: `${name}-${round}`, password: `${name}-${round}` });
      await store.refresh();
    },
  };
}

describe('attachSecrets', () => {
  it('gives mounted applications and routers the snapshot of their request', async () => {
    const { store, rotate } = await openStore('shop');
    const [app, inner, router] = [express(), express(), express.Router()];
    attachSecrets(app, store);
    let round = 0;
    app.use(async (request, _response, next) => {
      expect(request.secrets.reveal('user')).toBe(`shop-${round}`);
      round += 1;
      await rotate(round);
      next();
    });
    inner.get('/', (request, response) => response.json(request.secrets.reveal('password')));
    router.get('/', (request, response) => response.json(request.secrets.reveal('password')));
    app.use('/inner', inner).use('/router', router);
    const url = await serve(app);
    const answers: unknown[] = [];
    for (const path of ['/inner', '/router', '/inner']) answers.push(await (await fetch(url + path)).json());
    expect(answers).toEqual(['shop-0', 'shop-1', 'shop-2']);
  });

  it('shares the snapshot of a request with middleware of the same store, and refuses that of another store', async () => {
    const [shop, billing] = [await openStore('shop'), await openStore('billing')];
    const app = express();
    app.set('env', 'test');
    attachSecrets(app, shop.store);
    app.use('/same', secretsMiddleware(shop.store), (request, response) => {
      response.json(request.secrets.reveal('user'));
    });
    app.use('/other', secretsMiddleware(billing.store), (_request, response) => response.json('served'));
    const url = await serve(app);
    expect(await (await fetch(`${url}/same`)).json()).toBe('shop-0');
    expect((await fetch(`${url}/other`)).status).toBe(500);
  });

  it('refuses to attach secrets to anything but an Express application', async () => {
    const { store } = await openStore('shop');
    for (const app of [undefined, {}, express.Router(), (_request: unknown) => {}]) {
      expect(() => attachSecrets(app as never, store)).toThrow(
        expect.objectContaining({
          code: 'OPTION_INVALID',
          what: expect.stringContaining('must be an Express application'),
        }),
      );
    }
  });

  it.each(['secrets', 'get'])(
    'refuses to attach secrets as "%s" when the application has that property',
    async (as) => {
      const { store } = await openStore('shop');
      const app = express();
      attachSecrets(app, store);
      const other = (await openStore('billing')).store;
      expect(() => attachSecrets(app, other, { as })).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      );
    },
  );
});
