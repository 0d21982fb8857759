import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  All,
  type CallHandler,
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type MiddlewareConsumer,
  type NestInterceptor,
  Req,
  UseGuards,
  UseInterceptors,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { mountedFiles, type SecretStore, type Snapshot } from 'hot-secrets';
import {
  InjectSecret,
  InjectSecrets,
  RequestSecrets,
  type SecretHandle,
  SecretsModule,
} from 'hot-secrets/nestjs';
import { describe, expect, it } from 'vitest';
import { ask } from '../support/ask';
import { deferred } from '../support/deferred';
import { openRequest } from '../support/http-server';
import { startLoad } from '../support/load';
import { startMountWriter } from '../support/mount-writer';
import { openPair, type Pair, pairDefinitions, platforms, startNest } from '../support/nest-stage';
import { waitFor } from '../support/wait-for';

const authorize = ({ headers }: { readonly headers: Headers }) => headers.get('x-token') === 'valid-token';
const authorized = { 'x-token': 'valid-token' };

@Injectable()
class Payments {
  constructor(
    @InjectSecrets() readonly store: SecretStore<Pair>,
    @InjectSecret('password') readonly password: SecretHandle,
  ) {}
}

describe.each(platforms)('SecretsModule on %s', (platform) => {
  const wildcard = platform === 'express' ? '*path' : '*';

  it('gives each request one generation while another process swaps the mount', async () => {
    @Controller()
    class PairController {
      @Get('pair')
      async pair(@RequestSecrets() snapshot: Snapshot<Pair>) {
        const user = snapshot.reveal('user');
        for (let turn = 0; turn < 3; turn += 1) await setImmediate();
        return { user, password: snapshot.reveal('password'), generation: snapshot.generation };
      }
    }
    await using writer = await startMountWriter({ content: { user: 'value-0', password: 'value-0' } });
    const { app, url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ secrets: pairDefinitions, sources: [mountedFiles(writer.path)] })],
      controllers: [PairController],
      providers: [Payments],
    });
    const seen = new Set<number>();
    const swapping = writer.swapUntilStopped({ names: ['user', 'password'], gapMs: 1 });
    const load = startLoad(8, async () => {
      const { body } = await ask(`${url}/pair`);
      if (body.user !== body.password) throw new Error(`${body.user} with ${body.password}`);
      seen.add(body.generation);
    });
    await waitFor(() => load.done > 200 && seen.size > 10, { timeoutMs: 25_000 });
    await swapping.stop();
    expect((await load.stop()).failures).toEqual([]);
    // A handle injected before all rotations returns the current value.
    const { store, password } = app.get(Payments);
    await store.refresh();
    expect(password.reveal()).toBe(store.reveal('user'));
    expect(password.reveal()).not.toBe('value-0');
    await app.close();
  });

  it('takes the snapshot of a request at its first read, and keeps it until the request ends', async () => {
    const { store, rotate } = await openPair('first');
    const [arrived, mayRead, hasRead, mayEnd] = [deferred(), deferred(), deferred(), deferred()];
    @Controller()
    class SlowController {
      constructor(@InjectSecret('user') readonly current: SecretHandle) {}
      @Get('slow')
      async slow(@RequestSecrets() snapshot: Snapshot<Pair>) {
        arrived.resolve();
        await mayRead.promise;
        const user = snapshot.reveal('user');
        hasRead.resolve();
        await mayEnd.promise;
        return { user, password: snapshot.reveal('password'), current: this.current.reveal() };
      }
    }
    const { url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ store })],
      controllers: [SlowController],
    });
    const answer = ask(`${url}/slow`);
    await arrived.promise;
    await rotate('second');
    mayRead.resolve();
    await hasRead.promise;
    await rotate('third');
    await rotate('fourth');
    mayEnd.resolve();
    expect((await answer).body).toEqual({
      user: 'second-user',
      password: 'second-password',
      current: 'fourth-user',
    });
  });

  it('gives middleware, guards, interceptors and handlers one snapshot while secrets rotate', async () => {
    const { store, rotate } = await openPair('value');
    let round = 0;
    const seen: unknown[] = [];
    const see = async (request: { readonly secrets: Snapshot<Pair> }) => {
      seen.push(request.secrets.reveal('user'));
      round += 1;
      await rotate(`value-${round}`);
    };
    class Guard implements CanActivate {
      async canActivate(context: ExecutionContext) {
        await see(context.switchToHttp().getRequest());
        return true;
      }
    }
    class Interceptor implements NestInterceptor {
      async intercept(context: ExecutionContext, next: CallHandler) {
        await see(context.switchToHttp().getRequest());
        return next.handle();
      }
    }
    @Controller()
    class SeeController {
      @Get('see')
      @UseGuards(Guard)
      @UseInterceptors(Interceptor)
      async see(@Req() request: { readonly secrets: Snapshot<Pair> }, @RequestSecrets() snapshot: unknown) {
        await see(request);
        return { same: snapshot === request.secrets };
      }
    }
    class Middleware {
      configure(consumer: MiddlewareConsumer) {
        consumer
          .apply((request: never, _response: unknown, next: (error?: unknown) => void) => {
            see(request).then(() => next(), next);
          })
          .forRoutes('see');
      }
    }
    const { url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ store }), { module: Middleware }],
      controllers: [SeeController],
    });
    expect((await ask(`${url}/see`)).body).toEqual({ same: true });
    expect(seen).toEqual(Array(4).fill('value-user'));
    expect(store.generation).toBe(5);
  });

  it.each([
    [
      'in the URI',
      { type: VersioningType.URI },
      ['/api', '/api/v1/one', '/api/v2/wild/a/b', '/outside/c', '/v1/old'],
    ],
    [
      'in a header',
      { type: VersioningType.HEADER, header: 'x-version' },
      ['/api', '/api/one', '/api/wild/a/b', '/outside/c', '/old'],
    ],
  ] as const)(
    'gives snapshots to all routes with and without a global prefix, with versions %s',
    async (_title, versioning, paths) => {
      const { store } = await openPair('first');
      const answer = (snapshot: Snapshot<Pair>) => ({ user: snapshot.reveal('user') });
      @Controller({ version: VERSION_NEUTRAL })
      class NeutralController {
        @Get()
        root(@RequestSecrets() snapshot: Snapshot<Pair>) {
          return answer(snapshot);
        }
        @Get(`outside/${wildcard}`)
        outside(@RequestSecrets() snapshot: Snapshot<Pair>) {
          return answer(snapshot);
        }
      }
      @Controller({ version: '1' })
      class FirstController {
        @Get(['one', 'old'])
        one(@RequestSecrets() snapshot: Snapshot<Pair>) {
          return answer(snapshot);
        }
      }
      @Controller({ path: 'wild', version: '2' })
      class SecondController {
        @All(wildcard)
        wild(@RequestSecrets() snapshot: Snapshot<Pair>) {
          return answer(snapshot);
        }
      }
      const { url } = await startNest(
        platform,
        {
          imports: [SecretsModule.forRoot({ store })],
          controllers: [NeutralController, FirstController, SecondController],
        },
        (app) => {
          app.setGlobalPrefix('api', { exclude: [`outside/${wildcard}`, 'old'] });
          app.enableVersioning(versioning);
        },
      );
      for (const path of paths) {
        const headers = { 'x-version': path.includes('wild') ? '2' : '1' };
        expect([path, await ask(url + path, { headers })]).toEqual([
          path,
          { status: 200, body: { user: 'first-user' } },
        ]);
      }
    },
  );

  it('responds with 503 to requests that first read a secret after the store has closed, and serves all others', async () => {
    const { store } = await openPair('first');
    @Controller()
    class ReadController {
      @Get('read')
      read(@RequestSecrets() snapshot: Snapshot<Pair>) {
        return { user: snapshot.reveal('user') };
      }
      @Get('plain')
      plain(@RequestSecrets() _snapshot: Snapshot<Pair>) {
        return { plain: true };
      }
    }
    const { url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ store })],
      controllers: [ReadController],
    });
    expect((await ask(`${url}/read`)).status).toBe(200);
    await store.close();
    expect((await ask(`${url}/read`)).status).toBe(503);
    expect(await ask(`${url}/plain`)).toEqual({ status: 200, body: { plain: true } });
  });

  it('gives each request snapshots of two stores under two names', async () => {
    const [shop, billing] = [await openPair('shop'), await openPair('billing')];
    @Controller()
    class BothController {
      constructor(
        @InjectSecrets('billing') readonly store: SecretStore<Pair>,
        @InjectSecret('user', 'billing') readonly user: SecretHandle,
      ) {}
      @Get('both')
      both(
        @RequestSecrets() ofShop: Snapshot<Pair>,
        @RequestSecrets('billing') ofBilling: Snapshot<Pair>,
        @Req() request: { readonly billing: Snapshot<Pair> },
      ) {
        return {
          shop: ofShop.reveal('user'),
          billing: ofBilling.reveal('user'),
          same: request.billing === ofBilling && this.user.reveal() === this.store.reveal('user'),
        };
      }
    }
    const { url } = await startNest(platform, {
      imports: [
        SecretsModule.forRoot({ store: shop.store }),
        SecretsModule.forRoot({ store: billing.store, as: 'billing' }),
      ],
      controllers: [BothController],
    });
    for (const round of [1, 2, 3]) {
      await billing.rotate(`billing-${round}`);
      const { body } = await ask(`${url}/both`);
      expect(body).toEqual({ shop: 'shop-user', billing: `billing-${round}-user`, same: true });
    }
  });

  it('serves the endpoints outside the global prefix, with authorization', async () => {
    const { store, rotate } = await openPair('first');
    const { url } = await startNest(
      platform,
      { imports: [SecretsModule.forRoot({ store, endpoints: { authorize } })] },
      (app) => app.setGlobalPrefix('api').enableVersioning(),
    );
    const at = (path: string, init: RequestInit = {}) => ask(`${url}/-/secrets${path}`, init);
    expect(await at('/ready')).toMatchObject({ status: 200, body: { healthy: true, generation: 1 } });
    expect(await at('/live')).toMatchObject({ status: 200 });
    expect((await at('')).status).toBe(401);
    expect((await at('/reload', { method: 'POST' })).status).toBe(401);
    expect(await at('?format=json', { headers: authorized })).toMatchObject({ status: 200 });
    await rotate('second');
    expect(await at('/reload', { method: 'POST', headers: authorized })).toMatchObject({
      status: 200,
      body: { generation: 2 },
    });
    expect((await at('/reload', { headers: authorized })).status).toBe(405);
    expect((await ask(`${url}/api/-/secrets/ready`)).status).toBe(404);
    await store.close();
    expect((await at('/ready')).status).toBe(503);
    expect((await at('/live')).status).toBe(200);
  });

  it('answers a request to an endpoint before its body has arrived', async () => {
    const { store } = await openPair('first');
    const { url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ store, endpoints: { authorize, basePath: '/ops' } })],
    });
    const headers = { 'content-type': 'application/octet-stream', 'content-length': 50_000_000 };
    for (const [token, status] of [
      ['valid-token', 200],
      ['let-me-go', 401],
    ] as const) {
      const { asked, answered } = openRequest(`${url}/ops/reload`, { ...headers, 'x-token': token });
      asked.write('the beginning');
      expect(await answered).toMatchObject({ status, headers: { connection: 'close' } });
      asked.destroy();
    }
    // On Express, Nest parses the body first, and refuses one that is too large.
    const body = JSON.stringify({ long: 'x'.repeat(200_000) });
    const post = { method: 'POST', headers: { ...authorized, 'content-type': 'application/json' }, body };
    expect((await ask(`${url}/ops/reload`, post)).status).toBe(platform === 'express' ? 413 : 200);
  });
});

describe('the handle of InjectSecret', () => {
  it('prints, serializes and inspects a handle without its value', async () => {
    const { store } = await openPair('leak-marker');
    const { app } = await startNest('express', {
      imports: [SecretsModule.forRoot({ store })],
      providers: [Payments],
    });
    const { password } = app.get(Payments);
    const deep = { depth: 20, showHidden: true, getters: true };
    const shown = [
      inspect(password),
      inspect({ password }, deep),
      inspect(Object.entries(password), deep),
      JSON.stringify({ password }),
      `${password}`,
      String(password),
      `${password as unknown as string}!`,
    ];
    for (const text of shown) expect(text).not.toContain('leak-marker');
    expect(inspect(password)).toBe('[secret password]');
    expect(JSON.stringify({ password })).toBe('{"password":"[secret password]"}');
  });

  it('reports rotations to a watch of a handle until it stops', async () => {
    const { store, rotate } = await openPair('first');
    const { app } = await startNest('express', {
      imports: [SecretsModule.forRoot({ store })],
      providers: [Payments],
    });
    const { password } = app.get(Payments);
    const seen: (string | undefined)[] = [];
    const stop = password.watch((current, previous) => seen.push(previous?.reveal(), current.reveal()));
    for (const name of ['second', 'third']) await rotate(name);
    stop();
    await rotate('fourth');
    expect(seen.map((value) => value?.replace('-password', ''))).toEqual([
      undefined,
      'first',
      'first',
      'second',
      'second',
      'third',
    ]);
    expect(password.get().version).toBe(store.get('password').version);
    expect(password.revealWithPrevious()).toEqual(['fourth-password']);
  });
});

describe('RequestSecrets without HTTP', () => {
  class Resolver {
    // @nestjs/graphql and @nestjs/microservices call it.
    resolve(@RequestSecrets() snapshot: Snapshot<Pair>) {
      return snapshot.reveal('user');
    }
  }

  async function handlerOf(type: string) {
    const { store } = await openPair('first');
    const seen = deferred<object>();
    @Controller()
    class SeenController {
      @Get('seen')
      seen(@Req() request: object) {
        seen.resolve(request);
      }
    }
    const { app, url } = await startNest('fastify', {
      imports: [SecretsModule.forRoot({ store })],
      controllers: [SeenController],
      providers: [Resolver],
    });
    await ask(`${url}/seen`);
    const instance = app.get(Resolver);
    const handler = app
      .get(ExternalContextCreator)
      .create(
        instance,
        instance.resolve as never,
        'resolve',
        '__routeArguments__',
        { exchangeKeyForValue: () => undefined },
        undefined,
        undefined,
        undefined,
        type as 'rpc',
      );
    return { handler, request: await seen.promise };
  }

  it('returns the snapshot of the request in a GraphQL context', async () => {
    const { handler, request } = await handlerOf('graphql');
    expect(await handler({}, {}, { req: request }, {})).toBe('first-user');
    expect(await handler({}, {}, { reply: { request } }, {})).toBe('first-user');
    await expect(handler({}, {}, {}, {})).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(handler({}, {})).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('suggests InjectSecrets when a context has no request', async () => {
    const { handler, request } = await handlerOf('rpc');
    await expect(handler(request, {})).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('@InjectSecrets()'),
    });
  });
});
