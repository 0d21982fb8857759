// The built package, as users get it. The path is not a literal, so that type checking needs no build.
const dist = new URL('../../dist/', import.meta.url);

async function load<T>(file: string): Promise<T> {
  return (await import(new URL(file, dist).href)) as T;
}

export const { SecretStore, auditAccess, environment, memory, mountedFiles, secret } =
  await load<typeof import('../../src/index')>('index.js');
export const { createKeyVaultEmulator, createTestMount } =
  await load<typeof import('../../src/testing/index')>('testing.js');
export const { attachSecureContext, createServerNames } =
  await load<typeof import('../../src/adapters/tls/index')>('tls.js');
export const { bearer } = await load<typeof import('../../src/adapters/bearer/index')>('bearer.js');
export const { createPool } = await load<typeof import('../../src/adapters/pg/index')>('pg.js');
export const { createPool: createMysqlPool } =
  await load<typeof import('../../src/adapters/mysql2/index')>('mysql2.js');
export const { createClient: createRedisClient } =
  await load<typeof import('../../src/adapters/redis/index')>('redis.js');
export const { createRedis } = await load<typeof import('../../src/adapters/ioredis/index')>('ioredis.js');
export const { keyVault } = await load<typeof import('../../src/sources/key-vault/index')>('key-vault.js');
export const { token } = await load<typeof import('../../src/sources/tokens/index')>('tokens.js');
export const { forFastJwt, keyring } =
  await load<typeof import('../../src/adapters/keyring/index')>('keyring.js');
export const { secretsMiddleware } = await load<typeof import('../../src/frameworks/express')>('express.js');
export const { hotSecrets } = await load<typeof import('../../src/frameworks/fastify')>('fastify.js');
