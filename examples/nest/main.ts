// npx tsx examples/nest/main.ts: a NestJS service under load while its credentials rotate.
import { NestFactory } from '@nestjs/core';
import type { SecretStore } from 'hot-secrets';
import { secretsToken } from 'hot-secrets/nestjs';
import { createTestMount } from 'hot-secrets/testing';
import { waitFor } from '../../test/support/wait-for';
import { AppModule } from './service';

// In a pod, the driver writes this directory. Here it is a temporary directory.
await using mount = await createTestMount({ ...pair(1), 'signing-key': 'key-1' });
process.env.SECRETS_PATH = mount.path;

// A missing secret stops the start, with an error that lists the places searched.
await NestFactory.create(AppModule, { logger: false, abortOnError: false }).catch(({ code, secret }) =>
  console.log(`refused to start: ${code} (${secret})`),
);
await mount.rotate({ 'ops-password': 'ops-value' });
const app = await NestFactory.create(AppModule, { logger: ['warn', 'error'] });
app.setGlobalPrefix('api');
await app.listen(0, '127.0.0.1');
const url = await app.getUrl();
const secrets = app.get<SecretStore>(secretsToken());
secrets.on('close', ({ generation }) => console.log(`the store closed at generation ${generation}`));

// Four clients, each sending one request after another.
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

// When a file becomes empty, the last good pair stays in use and the pod's readiness probe still passes.
await mount.rotate({ 'api-password': '' });
await waitFor(() => secrets.health().status === 'degraded');
console.log(`ready: ${await ask('/ready')}`);
console.log(`status page without a password: ${(await ask('')).slice(0, 3)}`);

paying = false;
await Promise.all(customers);
console.log(
  `total: ${requests.served} requests served, ${requests.failed} failed, ${signatures.size} signing keys`,
);
// A signal does the same after app.enableShutdownHooks().
await app.close();

async function ask(path: string): Promise<string> {
  const response = await fetch(`${url}/-/secrets${path}`);
  return `${response.status} ${await response.text()}`;
}

function pair(number: number) {
  return { 'api-user': `user-${number}`, 'api-password': `password-of-user-${number}` };
}
