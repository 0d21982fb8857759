// npx tsx examples/https-server/main.ts: an HTTPS server whose certificate rotates while it serves.
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { mountedFiles, SecretStore, secret } from 'hot-secrets';
import { createTestMount } from 'hot-secrets/testing';
import { attachSecureContext } from 'hot-secrets/tls';
import { createAuthority } from '../../test/support/certificates';

// In a pod, the driver writes this directory. Here it is a temporary directory with certificates from a test authority.
const authority = await createAuthority();
await using mount = await createTestMount(await newPair(90));

await using secrets = await SecretStore.open({
  secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
  sources: [mountedFiles(mount.path)],
});
secrets.on('error', ({ code, message }) => console.log(`${code}: ${message}`));
secrets.on('expiring', ({ subject, daysLeft }) => {
  console.log(`the certificate of ${subject} expires in ${Math.round(daysLeft)} days`);
});

// The server starts without a certificate. The store supplies the current one, and a new one after each rotation.
const server = createServer({}, (_request, response) => response.end('hello\n'));
await using rotation = attachSecureContext(server, secrets, (s) => s.reveal('web'));
rotation.on('swapped', ({ generation }) => console.log(`the server uses generation ${generation}`));
await once(server.listen(0, '127.0.0.1'), 'listening');

await tell();
await mount.rotate(await newPair(60));
await until(() => rotation.generation === 2);
await tell();
await mount.rotate(await newPair(6));
await until(() => rotation.generation === 3);
await tell();

// A private key of another certificate never reaches the server.
await mount.rotate({ 'tls.key': (await newPair(90))['tls.key'] });
await until(() => secrets.health().status === 'degraded');
await tell();
await mount.rotate(await newPair(90));
await until(() => rotation.generation === 4);
await tell();

server.close();

/** Prints which certificate a new client sees, and how long it is valid. */
async function tell(): Promise<void> {
  const serial = await shownSerial();
  const [certificate] = secrets.health().expiries;
  console.log(`clients see ${serial}, ${certificate?.daysLeft.toFixed()} days left`);
}

/** Opens a new connection each time, because an open connection keeps its first certificate. */
async function shownSerial(): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const request = get({ host: 'localhost', port, ca: authority.cert, agent: false });
  const [response] = await once(request, 'response');
  const { serialNumber = 'none' } = (response.socket as TLSSocket).getPeerX509Certificate() ?? {};
  response.resume();
  await once(response, 'end');
  return serialNumber;
}

async function newPair(days: number): Promise<{ 'tls.crt': string; 'tls.key': string }> {
  const { chain, key } = await authority.issue({ notAfter: new Date(Date.now() + days * 86_400_000) });
  return { 'tls.crt': chain, 'tls.key': key };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
