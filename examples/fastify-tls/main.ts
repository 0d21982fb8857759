// npx tsx examples/fastify-tls/main.ts: a Fastify service over HTTPS whose certificate and keys rotate under load.
import { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify from 'fastify';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { hotSecrets } from 'hot-secrets/fastify';
import { basicAuth } from 'hot-secrets/http';
import { createTestMount } from 'hot-secrets/testing';
import { attachSecureContext } from 'hot-secrets/tls';
import { createAuthority } from '../../test/support/certificates';
import { waitFor } from '../../test/support/wait-for';
import { ask } from './client';

// In a pod, the driver writes this directory. Here it is a temporary directory with certificates from a test authority.
const authority = await createAuthority();
await using mount = await createTestMount({ ...(await content(1)), 'ops-password': 'ops-value' });

const secrets = await SecretStore.open({
  secrets: {
    web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }),
    user: 'api-user',
    key: 'api-key',
    opsPassword: 'ops-password',
  },
  sources: [mountedFiles(mount.path)],
});
secrets.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
secrets.on('recovered', ({ code }) => console.log(`recovered from ${code}`));
secrets.on('close', ({ generation }) => console.log(`the store closed at generation ${generation}`));

// The server starts without a certificate. The store supplies the current one, and a new one after each rotation.
const app = fastify({ https: {} });
await app.register(hotSecrets, {
  store: secrets,
  endpoints: { authorize: basicAuth(secrets, 'opsPassword') },
  // Use this hook to clear a cache or notify others. Clients that follow the store need no hook.
  onRotate: ({ generation, changes }) => {
    console.log(`onRotate: generation ${generation} changed ${changes.map(({ name }) => name).join(', ')}`);
  },
});
const attached = attachSecureContext(app.server, secrets, (s) => s.reveal('web'));

// Reads a pair with a pause. Both values are from one generation, even if a rotation happens during the pause.
app.get('/pay', async (request) => {
  const user = request.secrets.reveal('user');
  await sleep(20);
  return { isPair: request.secrets.reveal('key') === `key-of-${user}` };
});
// In a pod: host '0.0.0.0'. By default ('localhost'), Fastify starts a second server, which is not app.server.
const url = await app.listen({ port: 0, host: '127.0.0.1' });

// Four clients that open a new connection for each request.
const requests = { served: 0, failed: 0 };
let paying = true;
const customers = Array.from({ length: 4 }, async () => {
  while (paying) {
    const answer = await ask(`${url}/pay`, authority.cert).catch(() => undefined);
    const { isPair } = (answer?.body ?? {}) as { isPair?: boolean };
    requests[isPair ? 'served' : 'failed'] += 1;
  }
});
// Another client keeps its connection. It stays on its first certificate but gets the current secrets.
const staying = new Agent({ keepAlive: true, maxSockets: 1 });

await tell();
for (const number of [2, 3, 4]) {
  const before = requests.served;
  await mount.rotate(await content(number));
  await until(() => attached.generation === number && requests.served >= before + 20);
  await tell();
}

// A private key of another certificate is refused, and with it everything that was mounted at the same time.
const { 'tls.crt': _other, ...bad } = await content(5);
await mount.rotate(bad);
await until(() => secrets.health().status === 'degraded');
await tell();
await mount.rotate(await content(5));
await until(() => attached.generation === 5);
await tell();

paying = false;
await Promise.all(customers);
staying.destroy();
console.log(`total: ${requests.served} requests served, ${requests.failed} failed`);
await app.close(); // also closes the server, the attached rotation and the store

async function tell(): Promise<void> {
  const fresh = await ask(`${url}/-/secrets/ready`, authority.cert);
  const stayed = await ask(`${url}/-/secrets/ready`, authority.cert, staying);
  console.log(`new connections see ${fresh.server}, the open connection still sees ${stayed.server}`);
  console.log(`ready: ${fresh.status} ${JSON.stringify(fresh.body)}`);
}

async function content(number: number) {
  const { chain, key } = await authority.issue({ commonName: `web-${number}` });
  const user = `user-${number}`;
  return { 'tls.crt': chain, 'tls.key': key, 'api-user': user, 'api-key': `key-of-${user}` };
}

async function until(condition: () => boolean): Promise<void> {
  await waitFor(condition, { timeoutMs: 20_000 });
}
