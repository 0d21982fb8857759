// Every entry, in a program that TypeScript checks for each way to resolve modules.
import { memory, rotating, SecretStore, secret } from 'hot-secrets';
import { type Bearer, bearer } from 'hot-secrets/bearer';
import { type Diagnosis, diagnose, renderText } from 'hot-secrets/doctor';
import { secretsMiddleware as ofExpress, type SecretsMiddleware } from 'hot-secrets/express';
import { type HotSecretsPlugin, hotSecrets } from 'hot-secrets/fastify';
import { createServerCredentials, type HotServerCredentials } from 'hot-secrets/grpc';
import { secretsMiddleware as ofHono, type SecretsVariables } from 'hot-secrets/hono';
import { basicAuth, type HttpHandler, statusHandler } from 'hot-secrets/http';
import { createAgent, type HotAgent } from 'hot-secrets/https';
import { createRedis, type HotRedis } from 'hot-secrets/ioredis';
import { keyVault } from 'hot-secrets/key-vault';
import { secretsMiddleware as ofKoa, type SecretsContext } from 'hot-secrets/koa';
import { createPool as createMysqlPool, type HotPool as HotMysqlPool } from 'hot-secrets/mysql2';
import { SecretsModule } from 'hot-secrets/nestjs';
import { instrumentSecrets } from 'hot-secrets/opentelemetry';
import { createPool, type HotPool } from 'hot-secrets/pg';
import { createClient, type HotClient } from 'hot-secrets/redis';
import { createKeyVaultEmulator, createTestMount, poolContract, sourceContract } from 'hot-secrets/testing';
import { attachSecureContext } from 'hot-secrets/tls';
import { entraScopes, entraToken, rdsToken, token } from 'hot-secrets/tokens';
import { createDispatcher, type HotDispatcher } from 'hot-secrets/undici';

type IsAny<T> = symbol extends keyof T ? true : false;

/** What a function reads of any store that has it, whatever else that has. */
function login(store: SecretStore<{ readonly user: string }>): string {
  return store.reveal('user');
}

export async function entries(): Promise<readonly unknown[]> {
  const secrets = await SecretStore.open({
    secrets: { user: 'user', key: secret.bytes('key'), web: secret.tls('web') },
    sources: [memory({ user: 'u', key: 'k' }), keyVault({ vaultUrl: 'https://shop.vault.azure.net' })],
    name: 'shop',
  });
  const tokens = await SecretStore.open({
    secrets: { a: 'a', b: 'b', c: 'c' },
    sources: [
      entraToken('a', { scope: entraScopes.postgresql }),
      rdsToken('b', { hostname: 'db', port: 5432, username: 'app' }),
      token('c', { fetch: () => ({ token: 'c', expiresInMs: 60_000 }) }),
    ],
  });
  const password: string = tokens.reveal('a');
  createPool(tokens, () => ({ password }), { retire: 'never' });
  // @ts-expect-error Two ends.
  token('c', { fetch: () => ({ token: 'c', expiresInMs: 60_000, expiresAt: new Date() }) });
  // @ts-expect-error No end.
  token('c', { fetch: () => ({ token: 'c' }) });
  const client = rotating(secrets, { build: (s) => ({ user: s.reveal('user') }) });
  const pool = createPool(secrets, (s) => ({ user: s.reveal('user') }));
  const mysqlPool = createMysqlPool(secrets, (s) => ({ user: s.reveal('user') }));
  const agent = createAgent(secrets, (s) => s.reveal('web'));
  const dispatcher = createDispatcher(secrets, (s) => ({ connect: { ...s.reveal('web') } }));
  const client6 = createClient(secrets, (s) => ({ username: s.reveal('user'), password: s.reveal('user') }));
  const redis = createRedis(secrets, (s) => ({ username: s.reveal('user'), password: s.reveal('user') }));
  const page: HttpHandler = statusHandler(secrets, { authorize: basicAuth(secrets, 'user') });
  const express: SecretsMiddleware = ofExpress(secrets);
  const koa = ofKoa(secrets);
  const hono = ofHono(secrets);
  const plugin: HotSecretsPlugin = hotSecrets;
  const module = SecretsModule.forRoot({ store: secrets });
  const stop: () => void = instrumentSecrets(secrets);
  const mount = await createTestMount({ user: 'u' });
  const diagnosis: Diagnosis = await diagnose({ store: secrets, mounts: [mount.path] });
  const typed: readonly false[] = [
    false as IsAny<HotPool>,
    false as IsAny<HotMysqlPool>,
    false as IsAny<HotAgent>,
    false as IsAny<HotClient>,
    false as IsAny<HotRedis>,
    false as IsAny<HotDispatcher>,
    false as IsAny<HotServerCredentials>,
    false as IsAny<Bearer>,
    false as IsAny<typeof module>,
    false as IsAny<typeof koa>,
    false as IsAny<typeof hono>,
    false as IsAny<typeof plugin>,
    false as IsAny<SecretsContext<{ readonly user: string }>>,
    false as IsAny<SecretsVariables<{ readonly user: string }>>,
  ];
  // @ts-expect-error It reads a name that this store does not have.
  login(await SecretStore.open({ secrets: { key: 'key' } }));
  const api: Bearer = bearer(secrets, (s) => s.reveal('user'));
  const response: Response = await api.fetch('https://api.example.com/');
  api.got.hooks.afterResponse.push(...[]);
  void response;
  createServerCredentials(secrets, (s) => s.reveal('web')).rotation.generation.toFixed();
  attachSecureContext({} as import('node:https').Server, secrets, (s) => s.reveal('web'));
  return [
    login(secrets),
    client,
    pool,
    client6,
    redis,
    mysqlPool,
    agent,
    dispatcher,
    page,
    express,
    koa,
    hono,
    module,
    stop,
  ].concat(
    typed as never,
    [mount, createKeyVaultEmulator, sourceContract, poolContract, renderText(diagnosis)] as never,
  );
}
