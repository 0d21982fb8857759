// npx tsx examples/express-pg/main.ts: an Express service under load while its database password rotates.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mountedFiles, SecretStore } from 'hot-secrets';
import { keyVault } from 'hot-secrets/key-vault';
import { createKeyVaultEmulator, createTestMount } from 'hot-secrets/testing';
import { startPostgres } from '../../test/support/postgres';
import { waitFor } from '../../test/support/wait-for';
import { definitions, startService } from './service';

// A pod would use the platform's database, a mount that the driver writes, and a real vault. Here all three are local.
const postgres = await startPostgres(); // ends with this process
const opsPassword = randomBytes(16).toString('hex');
await using mount = await createTestMount({ 'db-password': 'password-1', 'ops-password': opsPassword });
await using vault = await createKeyVaultEmulator({ name: 'shop', secrets: { 'partner-key': 'partner-1' } });
await postgres.query(`create role app login password 'password-1'`);

const secrets = await SecretStore.open({
  secrets: definitions,
  sources: [mountedFiles(mount.path), keyVault(vault.options)],
});
secrets.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
let foundBy = '';
secrets.on('change', ({ trigger }) => {
  foundBy = trigger;
});

const { host, port, database } = postgres;
const { server, pool, stop } = startService(secrets, { host, port, database });
let isRefused = false;
pool.rotation.on('refused', () => {
  isRefused = true;
  console.log("the database refuses the file's password: new connections wait");
});
pool.rotation.on('accepted', ({ waitedMs }) =>
  console.log(`logins work again after ${waitedMs.toFixed()} ms`),
);
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

// Eight clients, each sending one request after another.
const requests = { served: 0, failed: 0 };
let shopping = true;
const customers = Array.from({ length: 8 }, async () => {
  while (shopping) {
    const response = await fetch(`${url}/orders`).catch(() => undefined);
    await response?.arrayBuffer();
    requests[response?.ok ? 'served' : 'failed'] += 1;
  }
});

for (const number of [2, 3, 4]) {
  const before = { ...requests };
  await until(() => requests.served >= before.served + 100);
  // First the database changes, then the file. In between, open connections work, but new logins fail.
  isRefused = false;
  await postgres.query(`alter role app password 'password-${number}'`);
  await until(() => isRefused);
  await mount.rotate({ 'db-password': `password-${number}` });
  await until(() => pool.rotation.generation === number && pool.rotation.staleCount === 0);
  const served = requests.served - before.served;
  const failed = requests.failed - before.failed;
  console.log(`generation ${number}, found by ${foundBy}: ${served} requests served, ${failed} failed`);
  // The request that a readinessProbe sends.
  console.log(`ready: ${await (await fetch(`${url}/-/secrets/ready`)).text()}`);
}

// The store polls the vault every 15 minutes. An authorized caller can trigger a refresh after a rotation.
const authorization = `Basic ${Buffer.from(`ops:${opsPassword}`).toString('base64')}`;
vault.set('partner-key', 'partner-2');
await reload({});
await reload({ authorization });

shopping = false;
await Promise.all(customers);
await stop();
console.log(`total: ${requests.served} requests served, ${requests.failed} failed`);

async function reload(headers: Record<string, string>): Promise<void> {
  const response = await fetch(`${url}/-/secrets/reload`, { method: 'POST', headers });
  console.log(`reload: ${response.status} ${await response.text()}`);
}

async function until(condition: () => boolean): Promise<void> {
  await waitFor(condition, { timeoutMs: 20_000 });
}
