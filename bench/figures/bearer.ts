import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecretStore } from '../../src/index';
import { bearer, createTestMount, mountedFiles, SecretStore as Store } from '../support/built';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';

const CALLERS = 20;
const REVOCATIONS = { full: 5, short: 2 };
const LAGS_MS = [300, 2_000];
const STEADY_MS = 1_000;
const PAUSE_MS = 5;

type Secrets = SecretStore<{ readonly key: string }>;
type Call = () => Promise<Response>;

const WAYS: Readonly<Record<string, (secrets: Secrets, url: string) => Call>> = {
  'the key is read for each request': keyForEachRequest,
  'a 401 is repeated after 250 ms': (secrets, url) => {
    const call = keyForEachRequest(secrets, url);
    return async () => {
      const response = await call();
      if (response.status !== 401) return response;
      await response.text();
      await sleep(250);
      return call();
    };
  },
  bearer: (secrets, url) => {
    const api = bearer(secrets, (s) => s.reveal('key'));
    return () => api.fetch(url);
  },
};

/** Counts the calls of an API that fail while it revokes its key at once, and the file with the new key follows later. */
export async function bearerFigure({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const checks = [];
  const details: Record<string, number> = {};
  for (const lagMs of LAGS_MS) {
    for (const [way, make] of Object.entries(WAYS)) {
      const { failed, calls } = await revoke(
        make,
        lagMs,
        REVOCATIONS[size],
        join(scratch, `${way} ${lagMs}`),
      );
      const name = `${way}, file ${lagMs} ms late`;
      if (way === 'bearer') checks.push(atMost(0, `${name}: failed calls`, failed));
      else details[`${name}: failed calls`] = failed;
      details[`${name}: calls`] = calls;
    }
  }
  return { checks, details };
}

function keyForEachRequest(secrets: Secrets, url: string): Call {
  return () => fetch(url, { headers: { authorization: `Bearer ${secrets.reveal('key')}` } });
}

async function revoke(
  make: (secrets: Secrets, url: string) => Call,
  lagMs: number,
  revocations: number,
  path: string,
): Promise<{ failed: number; calls: number }> {
  let valid = 'key-0';
  const server = createServer((request, response) => {
    response.writeHead(request.headers.authorization === `Bearer ${valid}` ? 200 : 401).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using mount = await createTestMount({ key: valid }, { path });
  await using secrets = await Store.open({
    secrets: { key: 'key' },
    sources: [mountedFiles(mount.path)],
    on: { error: () => {} },
  });
  const call = make(secrets, url);
  let calls = 0;
  let failed = 0;
  let running = true;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (running) {
      const response = await call();
      await response.text();
      calls += 1;
      if (response.status !== 200) failed += 1;
      await sleep(PAUSE_MS);
    }
  });
  for (let revocation = 1; revocation <= revocations; revocation += 1) {
    await sleep(STEADY_MS);
    valid = `key-${revocation}`;
    await sleep(lagMs);
    await mount.rotate({ key: valid });
  }
  await sleep(STEADY_MS);
  running = false;
  await Promise.all(callers);
  server.closeAllConnections();
  server.close();
  return { failed, calls };
}
