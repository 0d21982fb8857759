// Prints, as JSON, which packages this process has loaded: after the import, with a Kubernetes mount, with a plain one.
import { createRequire, register } from 'node:module';
import { MessageChannel } from 'node:worker_threads';

const require = createRequire(import.meta.url);
const urls = new Set();
const { port1, port2 } = new MessageChannel();
port1.on('message', (url) => urls.add(url)).unref();
register('./loaded-hook.mjs', { parentURL: import.meta.url, data: { port: port2 }, transferList: [port2] });

const load = process.argv[2] === 'require' ? async (name) => require(name) : (name) => import(name);

let markers = 0;

async function packages() {
  // The hook reports from another thread, in order: after this module, it has reported all earlier ones.
  const marker = `data:text/javascript,/*${markers++}*/`;
  await import(marker);
  for (const deadline = Date.now() + 10_000; !urls.has(marker); ) {
    if (Date.now() > deadline) throw new Error('the hook reported no module within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const paths = [...urls, ...Object.keys(require.cache)];
  const names = paths.map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

const { SecretStore, mountedFiles } = await load('hot-secrets');
// All entries but nestjs, whose decorators need the peer while a module loads.
const entries = [
  'https',
  'key-vault',
  'pg',
  'tls',
  'undici',
  'redis',
  'ioredis',
  'http',
  'opentelemetry',
  'doctor',
  'keyring',
  'grpc',
  'tokens',
  'bearer',
  'mysql2',
];
for (const entry of [...entries, 'express', 'fastify', 'koa', 'hono']) await load(`hot-secrets/${entry}`);
const imported = await packages();
const { createTestMount } = await load('hot-secrets/testing');

const kubernetes = await createTestMount({ token: 'value' });
await (await SecretStore.open({ sources: [mountedFiles(kubernetes.path)] })).close();
await kubernetes.cleanup();
const onKubernetes = await packages();

const plain = await createTestMount({ token: 'value' }, { layout: 'plain' });
const store = await SecretStore.open({ sources: [mountedFiles(plain.path)] });
const onPlain = await packages();
await store.close();
await plain.cleanup();

console.log(JSON.stringify({ imported, onKubernetes, onPlain }));
