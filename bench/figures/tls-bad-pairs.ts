import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { type Authority, createAuthority } from '../../test/support/certificates';
import { attachSecureContext, createTestMount, mountedFiles, SecretStore, secret } from '../support/built';
import { handshake } from '../support/handshake';
import { filesOf, issuePair } from '../support/pairs';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { within } from '../support/within';

const ROUNDS = { full: 5, short: 1 };
const HANDSHAKES = 5;
const BOUND_MS = 2000;
const DAY_MS = 86_400_000;

type Files = Record<string, string>;

/** Pairs that must not be served, each made from a fresh good one. */
const cases: Readonly<Record<string, (good: Files, authority: Authority) => Files | Promise<Files>>> = {
  mismatched: async (good, authority) => ({ ...good, 'tls.key': (await authority.issue()).key }),
  expired: async (_, authority) =>
    filesOf(await issuePair(authority, { notAfter: new Date(Date.now() - DAY_MS) })),
  'not yet valid': async (_, authority) =>
    filesOf(await issuePair(authority, { notBefore: new Date(Date.now() + DAY_MS) })),
  'truncated certificate': (good) => ({ ...good, 'tls.crt': half(good['tls.crt']) }),
  'truncated key': (good) => ({ ...good, 'tls.key': half(good['tls.key']) }),
  'garbage for a certificate': (good) => ({ ...good, 'tls.crt': 'not a certificate\n' }),
  'garbage for a key': (good) => ({ ...good, 'tls.key': 'not a key\n' }),
  'garbage inside the key': (good) => ({ ...good, 'tls.key': scrambled(good['tls.key']) }),
  'empty certificate': (good) => ({ ...good, 'tls.crt': '' }),
  'empty key': (good) => ({ ...good, 'tls.key': '' }),
  'both empty': () => ({ 'tls.crt': '', 'tls.key': '' }),
};

/** Mounts bad pairs and checks that the server keeps the old pair, reports an error, and takes the next good pair. */
export async function tlsBadPairs({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const authority = await createAuthority();
  const secureContext = createSecureContext({ ca: authority.cert });
  let serving = await issuePair(authority);
  await using mount = await createTestMount(filesOf(serving), { path: join(scratch, 'bad-pairs') });
  await using secrets = await SecretStore.open({
    secrets: { web: secret.tls({ cert: 'tls.crt', key: 'tls.key' }) },
    sources: [mountedFiles(mount.path)],
  });
  const server = createServer({});
  await using rotation = attachSecureContext(server, secrets, (s) => s.reveal('web'));
  const port = await listen(server);
  const shown = () => handshake({ port, secureContext }).catch(() => 'failed');
  let report = () => {};
  let rotate = () => {};
  secrets.on('error', () => report());
  rotation.on('rejected', () => report());
  rotation.on('swapped', () => rotate());
  let notKept = 0;
  let notReported = 0;
  let notRecovered = 0;
  let handshakes = 0;

  for (let round = 0; round < ROUNDS[size]; round += 1) {
    for (const spoil of Object.values(cases)) {
      const reported = new Promise<true>((resolve) => {
        report = () => resolve(true);
      });
      await mount.rotate(await spoil(filesOf(await issuePair(authority)), authority));
      if ((await within(reported, BOUND_MS)) === undefined) notReported += 1;
      let kept = true;
      for (let count = 0; count < HANDSHAKES; count += 1) {
        handshakes += 1;
        if ((await shown()) !== serving.serial) kept = false;
      }
      if (!kept) notKept += 1;

      const rotated = new Promise<void>((resolve) => {
        rotate = resolve;
      });
      serving = await issuePair(authority);
      await mount.rotate(filesOf(serving));
      await within(rotated, BOUND_MS);
      if ((await shown()) !== serving.serial) notRecovered += 1;
    }
  }
  server.close();

  const count = Object.keys(cases).length;
  return {
    checks: [
      atMost(0, `bad pairs that displaced the good pair (${count} kinds, ${ROUNDS[size]} of each)`, notKept),
      atMost(0, 'bad pairs that were not reported', notReported),
      atMost(0, 'good pairs that were not served after a bad pair', notRecovered),
    ],
    details: { 'handshakes while a bad pair was mounted': handshakes },
  };
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

function half(text = ''): string {
  return text.slice(0, text.length / 2);
}

/** Valid base64 that does not decode to a key. */
function scrambled(pem = ''): string {
  return pem.replace(/^[^-].*$/m, (line) => [...line].reverse().join(''));
}
