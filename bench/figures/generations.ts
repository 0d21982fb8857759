import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate, setTimeout } from 'node:timers/promises';
import express from 'express';
import fastify from 'fastify';
import { Pool } from 'undici';
import { startMountWriter } from '../../test/support/mount-writer';
import { hotSecrets, mountedFiles, SecretStore, secretsMiddleware } from '../support/built';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { timed } from '../support/statistics';

/** Requests to each application. The control gets a tenth as many. */
const REQUESTS = { full: 50_000, short: 5000 };
const LOOPS = { request: 60, control: 6 };
const SWAP_GAP_MS = 1;
const LONGEST_PAUSE_MS = 5;
const PAIR = { user: 'user', password: 'password' };

type PairStore = Awaited<ReturnType<typeof openStore>>;

/**
 * Another process swaps a user name and a password together every few milliseconds. Each request reads both, with waits
 * in between, from `request.secrets` or, as a control, from the store.
 */
export async function generations({ size, scratch }: FigureOptions): Promise<FigureResult> {
  const path = join(scratch, 'generations');
  await using writer = await startMountWriter({ content: { user: 'value-0', password: 'value-0' }, path });
  const swaps = writer.swapUntilStopped({ names: Object.keys(PAIR), gapMs: SWAP_GAP_MS });
  const ofExpress = await measure(path, startExpress, REQUESTS[size]);
  const ofFastify = await measure(path, startFastify, REQUESTS[size]);
  const swapCount = await swaps.stop();
  return {
    checks: [
      atMost(0, `mixed generations in ${REQUESTS[size]} requests to Express`, ofExpress.mixed),
      atMost(0, `mixed generations in ${REQUESTS[size]} requests to Fastify`, ofFastify.mixed),
      atMost(0, 'store errors during the run', ofExpress.errors + ofFastify.errors),
    ],
    details: {
      'swaps during the run': swapCount,
      ...detailsOf('Express', ofExpress),
      ...detailsOf('Fastify', ofFastify),
    },
  };
}

interface Outcome {
  readonly mixed: number;
  readonly controls: number;
  readonly mixedControls: number;
  readonly errors: number;
  /** Distinct pairs in the responses. */
  readonly seen: number;
  readonly perSecond: number;
}

function detailsOf(framework: string, found: Outcome): Record<string, number> {
  return {
    [`${framework}: generations seen by requests`]: found.seen,
    [`${framework}: requests per second, with the client in the same process`]: found.perSecond,
    [`${framework}: control, requests that read from the store`]: found.controls,
    [`${framework}: control, mixed generations`]: found.mixedControls,
  };
}

async function measure(path: string, start: typeof startExpress, requests: number): Promise<Outcome> {
  await using store = await openStore(path);
  let errors = 0;
  store.on('error', () => {
    errors += 1;
  });
  await using app = await start(store);
  const controls = requests / 10;
  const request = { mixed: 0, seen: new Set<string>() };
  const control = { mixed: 0, seen: new Set<string>() };
  const elapsed = await timed(() =>
    Promise.all([
      sendAll(app.port, '/request', requests, LOOPS.request, request),
      sendAll(app.port, '/store', controls, LOOPS.control, control),
    ]),
  );
  if (control.mixed === 0) throw new Error('The control saw no mixed pair, so the figure proves nothing.');
  return {
    mixed: request.mixed,
    controls,
    mixedControls: control.mixed,
    errors,
    seen: request.seen.size,
    perSecond: ((requests + controls) * 1000) / elapsed,
  };
}

/** Sends requests in `loops` parallel loops and counts the responses. */
async function sendAll(
  port: number,
  path: string,
  requests: number,
  loops: number,
  found: { mixed: number; readonly seen: Set<string> },
): Promise<void> {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: loops });
  let unsent = requests;
  const loop = async () => {
    while (unsent-- > 0) {
      const { statusCode, body } = await pool.request({ path, method: 'GET' });
      if (statusCode !== 200) throw new Error(`A request got status ${statusCode} instead of 200.`);
      const { user, password } = (await body.json()) as Record<string, string>;
      if (user !== password) found.mixed += 1;
      found.seen.add(user as string);
    }
  };
  try {
    await Promise.all(Array.from({ length: loops }, loop));
  } finally {
    await pool.destroy();
  }
}

function openStore(path: string) {
  return SecretStore.open({ secrets: PAIR, sources: [mountedFiles(path)] });
}

/** The secrets of a request, or the store. */
interface Reader {
  reveal(name: keyof typeof PAIR): unknown;
}

let pauses = 0;

async function readPair(secrets: Reader): Promise<Record<string, unknown>> {
  const user = secrets.reveal('user');
  // As in a real handler, other requests run in between.
  await setImmediate();
  pauses += 1;
  await setTimeout(pauses % (LONGEST_PAUSE_MS + 1));
  await setImmediate();
  return { user, password: secrets.reveal('password') };
}

interface RunningApp extends AsyncDisposable {
  readonly port: number;
}

async function startExpress(store: PairStore): Promise<RunningApp> {
  const app = express();
  app.use(secretsMiddleware(store));
  app.get('/request', async (request, response) => {
    response.json(await readPair(request.secrets));
  });
  app.get('/store', async (_request, response) => {
    response.json(await readPair(store));
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function startFastify(store: PairStore): Promise<RunningApp> {
  const app = fastify();
  await app.register(hotSecrets, { store });
  app.get('/request', (request) => readPair(request.secrets));
  app.get('/store', () => readPair(store));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    port: (app.server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => app.close(),
  };
}
