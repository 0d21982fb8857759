import {
  environment,
  memory,
  mountedFiles,
  rotating,
  SecretStore,
  SecretsError,
  type Source,
  secret,
} from 'hot-secrets';
import { statusHandler } from 'hot-secrets/http';
import { createTestMount } from 'hot-secrets/testing';
import { publish } from '../../src/observe/channels';
import { type Observed, observedOf, type ResourceState } from '../../src/observe/observed';
import { createAuthority } from './certificates';

/** A status page with content. */
export interface Scene {
  readonly page: ReturnType<typeof statusHandler>;
  /** Rotates some of its secrets. */
  rotate?(): Promise<unknown>;
  close(): Promise<unknown>;
}

const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);
const options = { authorize: () => true, refreshMs: 500 };

/** A vault that is unavailable while `fails` is true. */
function vault(values: Record<string, string>) {
  const held = memory(values);
  const source = {
    ...held,
    name: 'key-vault',
    location: 'https://shop-kv.vault.azure.net/',
    fails: false,
    async read(request: Parameters<Source['read']>[0]) {
      if (!source.fails) return held.read(request);
      throw new SecretsError('VAULT_UNAVAILABLE', 'the vault shop-kv.vault.azure.net answers with 503', {
        source: 'key-vault',
        next: 'The last good values keep serving; it is asked again in a while.',
      });
    },
  };
  return source;
}

/** A service with a dozen secrets after some rotations. `troubled` adds most of the possible problems. */
export async function shop({ troubled = false } = {}): Promise<Scene> {
  const authority = await createAuthority('Shop Internal CA');
  const pairs = async (webDays: number, clientDays: number) => {
    const web = await authority.issue({ hosts: ['www.shop.example'], notAfter: inDays(webDays) });
    const client = await authority.issue({ commonName: 'orders-service', notAfter: inDays(clientDays) });
    return { 'tls.crt': web.chain, 'tls.key': web.key, 'client.pem': client.chain + client.key };
  };
  const mount = await createTestMount({
    'database-user': 'shop-first',
    'database-password': 'first-value',
    'payments/api-key': 'first-key',
    'session-keys': Buffer.from('first-session').toString('base64'),
    'webhook-code': 'first-code',
    'status-password': 'first-status',
    'smtp-password': 'first-smtp',
    ...(await pairs(61.5, 40.5)),
    'feature-flags': '{"checkout":"second"}',
  });
  const kv = vault({ 'search-api-key': 'first-search', 'orders-signing-key': 'first-signing' });
  const store = await SecretStore.open({
    name: 'shop',
    secrets: {
      databaseUser: 'database-user',
      databasePassword: 'database-password',
      'payments/api-key': 'payments/api-key',
      sessionKeys: secret.bytes('session-keys', { encoding: 'base64', keepPreviousMs: 600_000 }),
      webhookCode: 'webhook-code',
      statusPassword: 'status-password',
      smtpPassword: 'smtp-password',
      featureFlags: secret.json('feature-flags'),
      web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
      ordersClient: secret.tls('client.pem', { expired: 'warn' }),
      searchApiKey: 'search-api-key',
      ordersSigningKey: 'orders-signing-key',
      metricsToken: secret.text('metrics-token', { env: ['METRICS_TOKEN'] }),
      betaToken: secret.text('beta-token').optional(),
    },
    sources: [mountedFiles(mount.path), kv, environment({ METRICS_TOKEN: 'first-metrics' })],
  });
  store.on('error', () => {});
  store.on('expiring', () => {});
  const page = statusHandler(store, options);
  const mailer = rotating(
    store,
    {
      build: (s) => s.reveal('smtpPassword'),
      verify: (value) => (value.includes('smtp') ? undefined : Promise.reject(new Error())),
    },
    { name: 'mailer' },
  );
  mailer.on('rejected', () => {});
  await mailer.ready;
  const rotate = async (values: Record<string, string>) => {
    await mount.rotate(values);
    await store.refresh();
  };
  await rotate({ 'database-user': 'shop-second', 'database-password': 'second-value' });
  await rotate({ 'smtp-password': 'second-smtp' });
  kv.set({ 'search-api-key': 'second-search' });
  await rotate({ 'webhook-code': 'second-code' });
  addResources(observedOf(store), troubled);
  if (troubled) {
    await rotate({ 'smtp-password': 'third-broken', ...(await pairs(2.4, -0.1)) });
    await rotate({ 'payments/api-key': '' });
    kv.fails = true;
    for (let round = 0; round < 4; round += 1) await store.refresh();
  }
  return {
    page,
    rotate: () => rotate({ 'database-password': 'third-value', 'smtp-password': 'third-smtp' }),
    close: () => Promise.all([mailer.close(), store.close(), mount.cleanup()]),
  };
}

/** Adds resources that would need servers. */
function addResources({ store, storeId, resources }: Observed, troubled: boolean): void {
  const rest: ResourceState = {
    kind: 'pg',
    name: 'orders-db',
    generation: 5,
    draining: 0,
    connections: undefined,
    rotating: undefined,
    refused: false,
  };
  const states: ResourceState[] = [
    {
      ...rest,
      generation: 2,
      connections: { open: 12, stale: troubled ? 12 : 0 },
      refused: troubled,
    },
    { ...rest, name: 'reports-db', connections: { open: 4, stale: 2 }, draining: 1 },
    { ...rest, kind: 'tls-server', name: 'www', generation: 1 },
    { ...rest, kind: 'https-agent', name: 'payments', generation: 3 },
  ];
  for (const state of states) resources.add(() => state);
  const ours = { store, storeId, resource: 'orders-db', kind: 'pg', resourceId: 1, generation: 2 };
  if (troubled) {
    publish('hot-secrets:credential:refused', () => ({
      ...ours,
      code: 'CREDENTIAL_REFUSED',
      message: 'the server refuses the credential of the pool "orders-db" (28P01). It waits for a newer one.',
      secret: undefined,
      source: undefined,
      waiting: 3,
    }));
    return;
  }
  publish('hot-secrets:rotation:swap', () => ({
    ...ours,
    rotation: 1,
    previousGeneration: 1,
    attempts: 3,
    durationMs: 1_840,
  }));
  publish('hot-secrets:rotation:drain', () => ({ ...ours, generation: 1, forced: false, durationMs: 912 }));
}

/** A store with many secrets, two of them empty. */
export async function crowd(): Promise<Scene> {
  const teams = ['billing', 'catalog', 'checkout', 'identity', 'search', 'shipping'];
  const names = Array.from({ length: 300 }, (_, index) => `${teams[index % 6]}/credential-${index + 1}`);
  const source = memory(Object.fromEntries(names.map((name) => [name, 'first-value'])));
  const store = await SecretStore.open({ name: 'platform', sources: [source] });
  store.on('error', () => {});
  const page = statusHandler(store, options);
  for (const name of names.slice(0, 40)) {
    source.set({ [name]: 'second-value' });
    await store.refresh();
  }
  source.set({ 'search/credential-5': '', 'billing/credential-13': '' });
  await store.refresh();
  return { page, close: () => store.close() };
}

/** A process that has just started. */
export async function quiet(): Promise<Scene> {
  const store = await SecretStore.open({
    sources: [environment({ API_KEY: 'first-key' })],
    secrets: { apiKey: 'api-key' },
  });
  return { page: statusHandler(store, options), close: () => store.close() };
}

/** Two stores in one process. */
export async function pair(): Promise<Scene> {
  const open = (name: string) =>
    SecretStore.open({ name, sources: [memory({ 'api-key': 'first-key', 'db-password': 'first-value' })] });
  const [tenant, platform] = [await open('tenant'), await open('platform')];
  const page = statusHandler([tenant, platform], options);
  return { page, close: () => Promise.all([tenant.close(), platform.close()]) };
}
