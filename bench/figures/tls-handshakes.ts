import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { type Authority, createAuthority } from '../../test/support/certificates';
import { startMountWriter } from '../../test/support/mount-writer';
import { attachSecureContext, mountedFiles, SecretStore, secret } from '../support/built';
import { type HandshakeLoad, startHandshakeLoad } from '../support/handshake-load';
import { filesOf, issuePairs, type Pair } from '../support/pairs';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { within } from '../support/within';

const ROTATIONS = { full: 100, short: 10 };
const SERVED_BOUND_MS = 5000;
const WARM_UP_BOUND_MS = 10_000;
/** The minimum time between two rotations. */
const PAUSE_MS = 50;

/**
 * Opens new connections continuously, each with a full handshake, while certificates rotate: first the server's, then
 * also those of a client with `createAgent`. Other processes write the mounts and open the connections.
 */
export async function tlsHandshakes({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const rotations = ROTATIONS[size];
  const authority = await createAuthority();
  const server = await serverRotates(authority, rotations, join(scratch, 'server'));
  const mutual = await bothRotate(authority, rotations, join(scratch, 'mutual'));
  if (Math.min(server.handshakes, mutual.handshakes) < rotations) throw new Error('There was no load.');
  return {
    checks: [
      atMost(
        0,
        `failures in ${server.handshakes} new connections during ${rotations} rotations of the server`,
        server.failed,
      ),
      atMost(
        0,
        `failures in ${mutual.handshakes} new connections while server and client rotate`,
        mutual.failed,
      ),
      atMost(0, 'server certificates that no client saw', server.missed + mutual.missed),
      atMost(0, 'client certificates that the server did not see', mutual.clientMissed),
    ],
    details: {
      'handshakes per second while the server rotates': server.rate,
      'handshakes per second while server and client rotate': mutual.rate,
    },
  };
}

interface Outcome {
  readonly handshakes: number;
  readonly failed: number;
  readonly missed: number;
  readonly rate: number;
}

async function serverRotates(authority: Authority, rotations: number, path: string): Promise<Outcome> {
  const pairs = await issuePairs(rotations + 1, authority);
  await using mount = await startMountWriter({ content: filesOf(pairs[0] as Pair), path });
  await using served = await serve(createServer({}, answer), mount.path);
  await using load = startHandshakeLoad({ port: served.port, ca: authority.cert });
  return await measure(load, served, pairs, (pair) => mount.rotate(filesOf(pair)));
}

async function bothRotate(
  authority: Authority,
  rotations: number,
  path: string,
): Promise<Outcome & { readonly clientMissed: number }> {
  const pairs = await issuePairs(rotations + 1, authority);
  const clients = await issuePairs(rotations + 1, authority, { hosts: [], commonName: 'client' });
  await using mount = await startMountWriter({ content: filesOf(pairs[0] as Pair), path });
  await using clientMount = await startMountWriter({
    content: { ...filesOf(clients[0] as Pair), 'ca.crt': authority.cert },
    path: `${path}-client`,
  });
  const shown = new Set<string>();
  let changed = () => {};
  const server = createServer({ ca: authority.cert, requestCert: true, rejectUnauthorized: true }, answer);
  server.on('secureConnection', (socket: TLSSocket) => {
    shown.add(socket.getPeerX509Certificate()?.serialNumber ?? '');
    changed();
  });
  await using served = await serve(server, mount.path);
  await using load = startHandshakeLoad({ port: served.port, clientMount: clientMount.path });
  const outcome = await measure(load, served, pairs, async (pair, rotation) => {
    const client = clients[rotation] as Pair;
    const used = new Promise<void>((resolve) => {
      changed = () => shown.has(client.serial) && resolve();
    });
    await Promise.all([mount.rotate(filesOf(pair)), clientMount.rotate(filesOf(client))]);
    await within(used, SERVED_BOUND_MS);
  });
  return { ...outcome, clientMissed: clients.filter(({ serial }) => !shown.has(serial)).length };
}

/** Rotates through all pairs, waits until each is seen, and counts the failures on either side. */
async function measure(
  load: HandshakeLoad,
  served: Served,
  [first, ...others]: readonly Pair[],
  rotate: (pair: Pair, rotation: number) => Promise<unknown>,
): Promise<Outcome> {
  await load.shows((first as Pair).serial, WARM_UP_BOUND_MS);
  let missed = 0;
  const start = performance.now();
  for (const [index, pair] of others.entries()) {
    await rotate(pair, index + 1);
    if ((await load.shows(pair.serial, SERVED_BOUND_MS)) === undefined) missed += 1;
    await setTimeout(PAUSE_MS);
  }
  const { handshakes, failures } = await load.stop();
  const seconds = (performance.now() - start) / 1000;
  for (const [code, count] of Object.entries(failures)) console.error(`${count} connections failed: ${code}`);
  const ofClients = Object.values(failures).reduce((sum, count) => sum + count, 0);
  // Both sides may notice the same failure.
  const failed = Math.max(ofClients, served.failures());
  return { handshakes, failed, missed, rate: handshakes / seconds };
}

interface Served extends AsyncDisposable {
  readonly port: number;
  /** Handshakes that failed on the server's side. */
  failures(): number;
}

async function serve(server: Server, path: string): Promise<Served> {
  const secrets = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
    sources: [mountedFiles(path)],
  });
  const rotation = attachSecureContext(server, secrets, (s) => s.reveal('web'));
  let failures = 0;
  server.on('tlsClientError', () => {
    failures += 1;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    failures: () => failures,
    async [Symbol.asyncDispose]() {
      server.close();
      await rotation.close();
      await secrets.close();
    },
  };
}

function answer(_request: unknown, response: { end(text: string): unknown }): void {
  response.end('ok');
}
