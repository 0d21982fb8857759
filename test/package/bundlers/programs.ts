/** A program for one entry: what it imports besides the entry and the main one, and what it does. */
interface Program {
  readonly imports?: string;
  /** Peers that the entry loads: bundled and passed as options, or external and loaded by the package. */
  readonly peers?: readonly string[];
  /** What a peer imports without needing it, and bundlers do not find. */
  readonly notInstalled?: readonly string[];
  /** Statements; `passed` is true where peers are bundled. `entry`, `store`, `pairs` and `missing` are known. */
  readonly body: string;
}

const EMULATOR = `
  const emulator = await testing.createKeyVaultEmulator({ secrets: { token: 'of-the-vault' }, ...(passed ? { jose, nodeForge } : {}) });`;

/** One program for each entry of package.json. */
export const programs: Readonly<Record<string, Program>> = {
  index: {
    imports: `import { createTestMount } from 'hot-secrets/testing'; import nodeForge from 'node-forge';`,
    peers: ['node-forge'],
    // A plain directory loads chokidar; the legacy PFX loads node-forge.
    body: `
  const { mountedFiles, secret } = entry;
  const mount = await createTestMount({ token: 'first', 'old.pfx': Buffer.from(pairs.legacyPfx, 'base64') }, { layout: 'plain' });
  const mounted = await SecretStore.open({
    secrets: { token: 'token', web: secret.tls('old.pfx', passed ? { nodeForge } : {}) },
    sources: [mountedFiles(mount.path, { pollIntervalMs: 60_000 })],
  });
  const changed = new Promise((resolve) => mounted.on('change', resolve));
  const problems = [];
  mounted.on('error', (error) => problems.push(error));
  await mount.rotate({ token: 'second' });
  await within(changed);
  equal(mounted.reveal('token'), 'second');
  equal(mounted.reveal('web').key.includes('PRIVATE KEY'), true);
  equal(problems.length, 0);
  await mounted.close();
  await mount.cleanup();`,
  },
  pg: {
    imports: `import pg from 'pg';`,
    peers: ['pg'],
    body: `
  const recipe = (s) => ({ connectionString: 'postgres://app@127.0.0.1:9/app?sslmode=disable', password: s.reveal('token') });
  const pool = entry.createPool(store, recipe, passed ? { pg } : {});
  equal(pool instanceof pg.Pool, true);
  equal((await within(pool.query('select 1').catch((error) => error))).code, 'ECONNREFUSED');
  await pool.end();
  if (passed) await missing(() => entry.createPool(store, recipe), 'pg');`,
  },
  mysql2: {
    imports: `import mysql2 from 'mysql2';`,
    peers: ['mysql2'],
    body: `
  const recipe = (s) => ({ host: '127.0.0.1', port: 9, user: 'app', password: s.reveal('token') });
  const pool = entry.createPool(store, recipe, passed ? { mysql2 } : {});
  equal(pool instanceof mysql2.Pool, true);
  equal((await within(pool.promise().query('select 1').catch((error) => error))).code, 'ECONNREFUSED');
  await pool.promise().end();
  if (passed) await missing(() => entry.createPool(store, recipe), 'mysql2');`,
  },
  tls: {
    imports: `import { createServer } from 'node:https';`,
    body: `
  const server = createServer();
  const attached = entry.attachSecureContext(server, store, (s) => s.reveal('web'));
  await attached.close();`,
  },
  https: { body: `entry.createAgent(store, (s) => ({ ...s.reveal('web') })).destroy();` },
  undici: {
    imports: `import undici from 'undici';`,
    peers: ['undici'],
    body: `
  const recipe = (s) => ({ connect: s.reveal('web') });
  const dispatcher = entry.createDispatcher(store, recipe, passed ? { undici } : {});
  equal(dispatcher instanceof undici.Dispatcher, true);
  await dispatcher.close();
  if (passed) await missing(() => entry.createDispatcher(store, recipe), 'undici');`,
  },
  redis: {
    imports: `import * as redis from 'redis';`,
    peers: ['redis'],
    body: `
  const recipe = (s) => ({ url: 'redis://127.0.0.1:9', password: s.reveal('token') });
  const client = entry.createClient(store, recipe, passed ? { redis } : {});
  const failed = new Promise((resolve) => client.on('error', resolve));
  client.connect().catch(() => {});
  equal((await within(failed)).code, 'ECONNREFUSED');
  client.destroy();
  if (passed) await missing(() => entry.createClient(store, recipe), 'redis');`,
  },
  ioredis: {
    imports: `import * as ioredis from 'ioredis';`,
    peers: ['ioredis'],
    body: `
  const recipe = (s) => ({ host: '127.0.0.1', port: 9, password: s.reveal('token') });
  const redis = entry.createRedis(store, recipe, passed ? { ioredis } : {});
  equal(redis instanceof ioredis.Redis, true);
  const failed = new Promise((resolve) => redis.on('error', resolve));
  equal((await within(failed)).code, 'ECONNREFUSED');
  redis.disconnect();
  if (passed) await missing(() => entry.createRedis(store, recipe), 'ioredis');`,
  },
  grpc: {
    imports: `import * as grpc from '@grpc/grpc-js';`,
    peers: ['@grpc/grpc-js'],
    body: `
  const modules = passed ? { grpc } : {};
  const server = new grpc.Server();
  const credentials = entry.createServerCredentials(store, (s) => s.reveal('web'), modules);
  await within(new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error) => (error ? reject(error) : resolve()))));
  server.forceShutdown();
  entry.createCallCredentials(store, (s) => s.reveal('token'), modules);
  if (passed) await missing(() => entry.createChannelCredentials(store, (s) => s.reveal('web')), 'grpc');`,
  },
  keyring: {
    body: `
  const keys = entry.keyring(store, 'token');
  const webhooks = entry.forWebhooks(keys);
  equal(webhooks.verify('body', webhooks.sign('body')), true);`,
  },
  bearer: {
    body: `
  const sent = [];
  const fetch = async (url, { headers }) => sent.push(headers) && new Response('ok');
  const api = entry.bearer(store, (s) => s.reveal('token'), { fetch });
  equal(await (await api.fetch('https://api.test/')).text(), 'ok');
  equal(sent[0].at(-1)[0], 'authorization');`,
  },
  'key-vault': {
    imports: `import * as testing from 'hot-secrets/testing'; import * as identity from '@azure/identity';
import * as keyvaultSecrets from '@azure/keyvault-secrets'; import * as jose from 'jose'; import nodeForge from 'node-forge';`,
    peers: ['@azure/identity', '@azure/keyvault-secrets', 'jose', 'node-forge'],
    body: `${EMULATOR}
  const modules = passed ? { identity, keyvaultSecrets } : {};
  const vault = await SecretStore.open({ secrets: { token: 'token' }, sources: [entry.keyVault({ ...emulator.options, ...modules })] });
  equal(vault.reveal('token'), 'of-the-vault');
  await vault.close();
  if (passed) {
    const opening = () => SecretStore.open({ secrets: { token: 'token' }, sources: [entry.keyVault(emulator.options)] });
    await missing(opening, 'keyvaultSecrets');
  }
  await emulator.close();`,
  },
  tokens: {
    imports: `import * as rdsSigner from '@aws-sdk/rds-signer';`,
    peers: ['@aws-sdk/rds-signer'],
    body: `
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const address = { hostname: 'db', port: 5432, username: 'app', region: 'eu-west-1', credentials };
  const opening = (options) => SecretStore.open({ secrets: { token: 'token' }, sources: [entry.rdsToken('token', options)] });
  const rds = await opening({ ...address, ...(passed ? { rdsSigner } : {}) });
  equal(rds.reveal('token').startsWith('db:5432/?Action=connect'), true);
  await rds.close();
  if (passed) await missing(() => opening(address), 'rdsSigner');`,
  },
  http: {
    imports: `import * as jose from 'jose';`,
    peers: ['jose'],
    body: `
  const tenantId = '72f988bf-86f1-41af-91ab-2d7cd011db47';
  const { publicKey, privateKey } = await jose.generateKeyPair('RS256');
  const keys = { keys: [{ ...(await jose.exportJWK(publicKey)), kid: 'one', alg: 'RS256' }] };
  const token = await new jose.SignJWT({ azp: tenantId }).setProtectedHeader({ alg: 'RS256', kid: 'one' })
    .setAudience('api://x').setIssuer('https://sts.windows.net/' + tenantId + '/').setExpirationTime('1h').sign(privateKey);
  const fetch = async () => new Response(JSON.stringify(keys), { headers: { 'content-type': 'application/json' } });
  const usual = { tenantId, audience: 'api://x', appIds: [tenantId], fetch };
  const request = { headers: new Headers({ authorization: 'Bearer ' + token }) };
  // The import of jose is one that bundlers follow: also without the option, the bundle contains it.
  for (const options of [usual, { ...usual, jose }]) equal(await entry.bearerToken(options)(request), true);
  entry.healthHandler(store);`,
  },
  opentelemetry: {
    imports: `import * as api from '@opentelemetry/api';`,
    peers: ['@opentelemetry/api'],
    body: `
  entry.instrumentSecrets(store, passed ? { api } : {})();
  if (passed) await missing(() => entry.instrumentSecrets(store), 'api');`,
  },
  express: { body: `equal(typeof entry.secretsMiddleware(store), 'function');` },
  fastify: { body: `equal(typeof entry.hotSecrets, 'function');` },
  koa: {
    body: `equal(typeof entry.secretsMiddleware(store), 'function');`,
  },
  hono: {
    body: `equal(typeof entry.secretsMiddleware(store), 'function');`,
  },
  nestjs: {
    imports: `import { Module } from '@nestjs/common';`,
    peers: ['@nestjs/common'],
    notInstalled: ['class-transformer', 'class-validator'],
    body: `
  const root = entry.SecretsModule.forRoot({ store });
  class App {}
  Module({ imports: [root] })(App);
  entry.InjectSecret('token')(App, undefined, 0);
  equal(Reflect.getMetadata('imports', App)[0], root);
  equal(Reflect.getMetadata('self:paramtypes', App).length, 1);`,
  },
  testing: {
    imports: `import * as jose from 'jose'; import nodeForge from 'node-forge';`,
    peers: ['jose', 'node-forge'],
    body: `
  const testing = entry;${EMULATOR}
  equal(emulator.vaultUrl, 'https://emulator.vault.azure.net');
  await emulator.close();
  const mount = await entry.createTestMount({ token: 'first' });
  await mount.cleanup();
  if (passed) await missing(() => entry.createKeyVaultEmulator({ jose }), 'nodeForge');`,
  },
  doctor: {
    imports: `import { createTestMount } from 'hot-secrets/testing';`,
    body: `
  const mount = await createTestMount({ token: '\${DB_TOKEN}' });
  const diagnosis = await entry.diagnose({ mounts: [mount.path], environment: {} });
  equal(diagnosis.findings[0].code, 'VALUE_UNRESOLVED');
  equal(entry.renderText(diagnosis).includes('DB_TOKEN'), false);
  await mount.cleanup();`,
  },
};

/** The source of a program: imports everything of an entry, opens a store, uses the entry, and prints `ok`. */
export function sourceOf(name: string, passed: boolean, pairs: object): string {
  const { imports = '', body } = programs[name] as Program;
  const specifier = name === 'index' ? 'hot-secrets' : `hot-secrets/${name}`;
  return `import * as entry from '${specifier}';
import { memory, secret as define, SecretStore } from 'hot-secrets';
${imports}
const passed = ${passed};
const pairs = ${JSON.stringify(pairs)};
function equal(actual, expected) {
  if (actual !== expected) throw new Error('expected ' + expected + ', got ' + actual);
}
function within(promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('too late')), 20_000); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
async function missing(use, option) {
  const error = await Promise.resolve().then(use).then(() => undefined, (reason) => reason);
  equal(error?.code, 'PEER_MISSING');
  if (!error.message.includes('\`' + option + '\`')) throw new Error(error.message);
}
export async function main() {
  if (Object.keys(entry).length === 0) throw new Error('the entry is empty');
  const source = memory({ token: 'value', 'tls.crt': pairs.cert, 'tls.key': pairs.key });
  const secrets = { token: 'token', web: define.tls({ cert: 'tls.crt', key: 'tls.key' }) };
  const store = await SecretStore.open({ secrets, sources: [source] });
  ${body}
  await store.close();
  return 'ok';
}
`;
}

/** What a bundler leaves out of the program of an entry. */
export function externalsOf(name: string, passed: boolean): readonly string[] {
  const { peers = [], notInstalled = [] } = programs[name] as Program;
  return passed ? notInstalled : [...peers, ...notInstalled];
}
