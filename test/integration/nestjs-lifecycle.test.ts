import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { memory, type SecretStore, type Snapshot, type Source } from 'hot-secrets';
import {
  InjectSecret,
  InjectSecrets,
  RequestSecrets,
  type RotationContext,
  type SecretHandle,
  SecretsModule,
  secretsToken,
  secretToken,
} from 'hot-secrets/nestjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ask } from '../support/ask';
import { deferred } from '../support/deferred';
import {
  createNest,
  isClosed,
  openPair,
  type Pair,
  type PairStore,
  pairDefinitions,
  pairOf,
  platforms,
  rootModule,
  startNest,
} from '../support/nest-stage';
import { record } from '../support/store-log';
import { waitFor } from '../support/wait-for';

/** A source that records whether its store closed it. */
function closingMemory(first: string) {
  const close = vi.fn();
  const source: Source = { ...memory(pairOf(first)), close };
  return { source, close };
}

/** Starts an application. Resolves with the code of its failure. */
const failureOf = (metadata: ModuleMetadata) =>
  createNest('express', metadata)
    .then((app) => app.init())
    .then(
      () => 'started',
      (error: { readonly code?: string }) => error.code ?? error,
    );

describe('SecretsModule at start-up', () => {
  it('fails to start with the error of open when a secret is missing', async () => {
    const imports = [
      SecretsModule.forRoot({ secrets: { key: 'api-key' }, sources: [memory(pairOf('first'))] }),
    ];
    const started = createNest('express', { imports });
    await expect(started).rejects.toMatchObject({ code: 'SECRET_MISSING', secret: 'key' });
  });

  it('fails to start for an injected name that is unknown, and suggests a known one', async () => {
    @Injectable()
    class Misspelt {
      constructor(@InjectSecret('pasword') readonly password: SecretHandle) {}
    }
    const { store } = await openPair('first');
    const imports = [SecretsModule.forRoot({ store })];
    await expect(createNest('express', { imports, providers: [Misspelt] })).rejects.toMatchObject({
      code: 'NAME_UNKNOWN',
      secret: 'pasword',
      message: expect.stringContaining('Did you mean "password"?'),
    });
    // An application ignores names that none of its classes inject.
    await createNest('express', { imports: [SecretsModule.forRoot({ store })] });
  });

  it.each<[string, string, ...object[]]>([
    ['two modules with the same name', 'OPTION_INVALID', {}, {}],
    ['endpoints without authorize', 'OPTION_INVALID', { endpoints: {} }],
    ['an invalid path', 'OPTION_INVALID', { endpoints: { authorize: () => true, basePath: 'x/' } }],
    ['a misspelt option of the endpoints', 'OPTION_UNKNOWN', { endpoints: { authorise: () => true } }],
    ['a misspelt option', 'OPTION_UNKNOWN', { onRotated: () => {} }],
    ['a hook that is not a function', 'OPTION_INVALID', { onRotate: 'log' }],
    ['an invalid name', 'OPTION_INVALID', { as: 'my secrets' }],
    ['no store', 'OPTION_INVALID', { store: undefined }],
    ['a store and names', 'OPTION_INVALID', { secrets: pairDefinitions }],
  ])('fails to start with %s (%s)', async (_what, code, ...modules) => {
    const { store } = await openPair('first');
    const imports = modules.map((options) => SecretsModule.forRoot({ store, ...options } as never));
    expect(await failureOf({ imports })).toBe(code);
    expect(isClosed(store)).toBe(false);
  });

  it('fails to start on Fastify when a plugin already uses the name', async () => {
    const { store } = await openPair('first');
    const app = await createNest('fastify', { imports: [SecretsModule.forRoot({ store, as: 'billing' })] });
    app.getHttpAdapter().getInstance().decorateRequest('billing', null);
    await expect(app.init()).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('closes the store that it opened when another option is invalid', async () => {
    const { source, close } = closingMemory('first');
    const imports = [
      SecretsModule.forRoot({ secrets: pairDefinitions, sources: [source], endpoints: {} as never }),
    ];
    expect(await failureOf({ imports })).toBe('OPTION_INVALID');
    expect(close).toHaveBeenCalledTimes(1);
  });

  it.each([null, 'secrets', 7])('refuses %j instead of the options of SecretsModule', (options) => {
    const refused = expect.objectContaining({ code: 'OPTION_INVALID' });
    expect(() => SecretsModule.forRoot(options as never)).toThrow(refused);
    expect(() => SecretsModule.forRootAsync(options as never)).toThrow(refused);
    expect(() => SecretsModule.forRootAsync({ useFactory: options as never })).toThrow(refused);
  });

  it('takes options from a factory with providers of other modules', async () => {
    @Module({ providers: [{ provide: 'prefix', useValue: 'late' }], exports: ['prefix'] })
    class ConfigModule {}
    const app = await createNest('express', {
      imports: [
        SecretsModule.forRootAsync({
          as: 'shop',
          imports: [ConfigModule],
          inject: ['prefix'],
          useFactory: async (prefix: string) => ({
            secrets: pairDefinitions,
            sources: [memory(pairOf(prefix))],
          }),
        }),
      ],
    });
    expect(app.get<PairStore>(secretsToken('shop')).reveal('user')).toBe('late-user');
    const named = SecretsModule.forRootAsync({ useFactory: () => ({ as: 'shop' }) as never });
    expect(await failureOf({ imports: [named] })).toBe('OPTION_UNKNOWN');
  });

  it('injects secrets into factories and into classes declared after the module', async () => {
    const { store } = await openPair('first');
    const root = SecretsModule.forRoot({ store });
    @Injectable()
    class Late {
      @InjectSecret('user') readonly user!: SecretHandle;
    }
    const made = {
      provide: 'made',
      inject: [secretToken('password')],
      useFactory: (p: SecretHandle) => p.reveal(),
    };
    const app = await createNest('express', { imports: [root], providers: [Late, made] });
    expect(app.get(Late).user.reveal()).toBe('first-user');
    expect(app.get('made')).toBe('first-password');
  });

  it('injects secrets into lazily loaded classes with forFeature', async () => {
    const { store, rotate } = await openPair('first');
    const app = await createNest('express', { imports: [SecretsModule.forRoot({ store })] });
    @Injectable()
    class Lazy {
      constructor(@InjectSecret('user') readonly user: SecretHandle) {}
    }
    const module = rootModule({ imports: [SecretsModule.forFeature('user')], providers: [Lazy] });
    const loaded = await app.get(LazyModuleLoader).load(() => module);
    await rotate('second');
    expect(loaded.get(Lazy).user.reveal()).toBe('second-user');
    @Injectable()
    class Misspelt {
      constructor(@InjectSecret('usr') readonly user: SecretHandle) {}
    }
    const unknown = rootModule({ imports: [SecretsModule.forFeature(['usr'])], providers: [Misspelt] });
    await expect(app.get(LazyModuleLoader).load(() => unknown)).rejects.toMatchObject({
      code: 'NAME_UNKNOWN',
    });
  });

  it('limits a store to the importing module with isGlobal: false', async () => {
    const { store } = await openPair('first');
    @Injectable()
    class Reader {
      constructor(@InjectSecrets() readonly secrets: PairStore) {}
    }
    const inside = rootModule({
      imports: [SecretsModule.forRoot({ store, isGlobal: false })],
      providers: [Reader],
    });
    const app = await createNest('express', { imports: [inside] });
    expect(app.get(Reader).secrets).toBe(store);
    const outside = { imports: [SecretsModule.forRoot({ store, isGlobal: false, closeStore: false })] };
    await expect(
      createNest('express', { imports: [rootModule(outside)], providers: [Reader] }),
    ).rejects.toThrow(/resolve/);
  });
});

describe.each(platforms)('the end of an application on %s', (platform) => {
  it('closes the store after the last request and all shutdown hooks', async () => {
    const { source, close } = closingMemory('first');
    const [hasRead, mayEnd] = [deferred(), deferred()];
    const steps: string[] = [];
    @Controller()
    class SlowController implements OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown {
      constructor(@InjectSecrets() readonly secrets: SecretStore<Pair>) {}
      @Get('slow')
      async slow(@RequestSecrets() unread: Snapshot<Pair>) {
        hasRead.resolve();
        await mayEnd.promise;
        steps.push('request');
        return { user: unread.reveal('user') };
      }
      onModuleDestroy() {
        this.say('destroy');
      }
      beforeApplicationShutdown() {
        this.say('before');
        mayEnd.resolve();
      }
      onApplicationShutdown() {
        this.say('shutdown');
      }
      say(step: string) {
        // Nest calls every hook again when an application is closed again.
        if (!isClosed(this.secrets)) steps.push(`${step} ${this.secrets.reveal('user')}`);
      }
    }
    close.mockImplementation(() => steps.push('closed'));
    const { app, url } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ secrets: pairDefinitions, sources: [source] })],
      controllers: [SlowController],
    });
    const { secrets } = app.get(SlowController);
    const answer = ask(`${url}/slow`);
    await hasRead.promise;
    await app.close();
    expect(await answer).toEqual({ status: 200, body: { user: 'first-user' } });
    expect(steps).toEqual([
      'destroy first-user',
      'before first-user',
      'request',
      'shutdown first-user',
      'closed',
    ]);
    expect(isClosed(secrets)).toBe(true);
    await expect(ask(`${url}/slow`)).rejects.toThrow();
    await app.close();
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('closes the store when a signal ends the application', async () => {
    const { store } = await openPair('first');
    const { app } = await startNest(platform, { imports: [SecretsModule.forRoot({ store })] });
    app.enableShutdownHooks(['SIGUSR2']);
    // Nest sends the signal again at the end, which would end this process.
    const again = vi.fn();
    process.on('SIGUSR2', again);
    onTestFinished(() => void process.off('SIGUSR2', again));
    process.kill(process.pid, 'SIGUSR2');
    await waitFor(() => isClosed(store) && again.mock.calls.length === 2);
  });

  it('leaves the store open when the application closes with closeStore: false', async () => {
    const { store } = await openPair('first');
    const { app } = await startNest(platform, {
      imports: [SecretsModule.forRoot({ store, closeStore: false })],
    });
    await app.close();
    expect(store.reveal('user')).toBe('first-user');
  });
});

describe('a Nest application without HTTP', () => {
  it('injects secrets and closes the store in an application without HTTP', async () => {
    const { store, rotate } = await openPair('first');
    @Injectable()
    class Worker {
      constructor(@InjectSecret('user') readonly user: SecretHandle) {}
    }
    const module = rootModule({ imports: [SecretsModule.forRoot({ store })], providers: [Worker] });
    const context = await NestFactory.createApplicationContext(module, {
      logger: false,
      abortOnError: false,
    });
    for (const name of ['second', 'third', 'fourth']) {
      await rotate(name);
      expect(context.get(Worker).user.reveal()).toBe(`${name}-user`);
    }
    await context.close();
    expect(isClosed(store)).toBe(true);
  });
});

describe('onRotate of SecretsModule', () => {
  it('calls onRotate after each rotation, and reports when it throws or never ends', async () => {
    const { store, rotate } = await openPair('first');
    const log = record(store);
    const seen: string[] = [];
    const onRotate = async (_event: unknown, { snapshot }: RotationContext<Pair>) => {
      const user = snapshot.reveal('user');
      seen.push(user);
      if (user === 'second-user') throw new Error('leak-marker');
      if (user === 'third-user') await new Promise(() => {});
    };
    const { app, url } = await startNest('express', {
      imports: [
        SecretsModule.forRoot({ store, onRotate, hookTimeoutMs: 50, endpoints: { authorize: () => false } }),
      ],
    });
    for (const name of ['second', 'third', 'fourth']) await rotate(name);
    await waitFor(() => seen.length === 3 && log.errors.length === 2);
    expect(seen).toEqual(['second-user', 'third-user', 'fourth-user']);
    expect(log.codes()).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED']);
    expect(log.errors.map(({ message }) => message).join()).not.toContain('leak-marker');
    expect((await ask(`${url}/-/secrets/ready`)).body).toMatchObject({ healthy: true, generation: 4 });
    await app.close();
  });

  it('aborts the signal of a running onRotate when the application closes', async () => {
    const { store, rotate } = await openPair('first');
    const started = deferred<AbortSignal>();
    const onRotate = async (_event: unknown, { signal }: RotationContext<Pair>) => {
      started.resolve(signal);
      await new Promise(() => {});
    };
    const { app } = await startNest('express', { imports: [SecretsModule.forRoot({ store, onRotate })] });
    await rotate('second');
    const signal = await started.promise;
    await app.close();
    expect(signal.aborted).toBe(true);
  });
});
