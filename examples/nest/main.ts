// npx tsx examples/nest/main.ts: a Nest service under load, while the credentials that it uses rotate.
import { NestFactory } from '@nestjs/core';
import type { SecretStore } from 'hot-secrets';
import { secretsToken } from 'hot-secrets/nestjs';
import { createTestMount } from 'hot-secrets/testing';
import { waitFor } from '../../test/support/wait-for';
import { AppModule } from './service';

// In a pod, the driver writes this directory. Here it is a temporary one.
await using mount = await createTestMount({ ...pair(1), 'signing-key': 'key-1' });
process.env.SECRETS_PATH = mount.path;

// A secret that is missing stops the start, with an error that says where it was looked for.
await NestFactory.create(AppModule, { logger: false, abortOnError: false }).catch(({ code, secret }) =>
  console.log(`no start: ${code} (${secret})`),
);
await mount.rotate({ 'ops-password': 'ops-value' });
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.setGlobalPrefix('api');
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const secrets = app.get<SecretStore>(secretsToken());
secrets.on('close', ({ generation }) => console.log(`the store closed at generation ${generation}`));

// Customers, one request after the other.
const requests = { served: 0, failed: 0 };
const signatures = new Set<string>();
let paying = true;
const customers = Array.from({ length: 4 }, async () => {
  while (paying) {
    const answer = await fetch(`${url}/api/payments`)
      .then((response) => response.json())
      .catch(() => ({}));
    const { isPair, signature } = answer as { isPair?: boolean; signature?: string };
    if (signature !== undefined) signatures.add(signature);
    requests[isPair ? 'served' : 'failed'] += 1;
  }
});

for (const number of [2, 3, 4]) {
  const { served } = requests;
  await waitFor(() => requests.served >= served + 50);
  await mount.rotate({ ...pair(number), 'signing-key': `key-${number}` });
  await waitFor(() => secrets.generation === number && signatures.size === number);
}

// A file that somebody emptied: the last good pair keeps serving, and the probe of the pod passes.
await mount.rotate({ 'api-password': '' });
await waitFor(() => secrets.health().status === 'degraded');
console.log(`ready: ${await ask('/ready')}`);
console.log(`status page, to whom shows no password: ${(await ask('')).slice(0, 3)}`);

paying = false;
await Promise.all(customers);
console.log(
  `in all: ${requests.served} requests served, ${requests.failed} failed, ${signatures.size} signing keys`,
);
// Or a signal, with app.enableShutdownHooks().
await app.close();

async function ask(path: string): Promise<string> {
  const response = await fetch(`${url}/-/secrets${path}`);
  return `${response.status} ${await response.text()}`;
}

function pair(number: number) {
  return { 'api-user': `user-${number}`, 'api-password': `password-of-user-${number}` };
}
