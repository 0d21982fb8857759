import { setTimeout as sleep } from 'node:timers/promises';
import { createDispatcher, type HotDispatcher } from 'hot-secrets/undici';
import type { Dispatcher } from 'undici';
import { request, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientContract } from '../support/client-contract';
import { startLoad } from '../support/load';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

/** Between the requests of a worker: without it, nine workers and their server only wait for the processor. */
const PAUSE_MS = 3;

function dispatcherOf({ secrets }: ClientHarness, settings: object = {}, options: object = {}) {
  const recipe = (s: Parameters<typeof pairAndTrust>[0]) => ({ ...settings, connect: pairAndTrust(s) });
  const dispatcher = createDispatcher(secrets, recipe, options);
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

async function get(dispatcher: Dispatcher, url: string): Promise<string> {
  return (await request(url, { dispatcher })).body.text();
}

describe('a rotation of the client certificate of a dispatcher', () => {
  it.each<[title: string, settings: object]>([
    ['unlimited connections', {}],
    ['at most two connections', { connections: 2 }],
    ['pipelining', { connections: 1, pipelining: 4 }],
    ['a connection for each request', { pipelining: 0 }],
    ['one connection at a time', { connections: 1, pipelining: 0 }],
  ])('fails no request under load, and uses the current certificate (%s)', async (_title, settings) => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = dispatcherOf(harness, settings);
    const ways = [
      () => get(dispatcher, server.origin),
      async () => (await undiciFetch(server.origin, { dispatcher })).text(),
      // The fetch of Node, with a dispatcher of the undici package.
      async () => (await fetch(server.origin, { dispatcher } as object)).text(),
    ];
    const serials = [harness.firstSerial];
    const old: string[] = [];
    let count = 0;
    const load = startLoad(9, async () => {
      count += 1;
      const { generation } = dispatcher.rotation;
      const serial = await (ways[count % 3] as () => Promise<string>)();
      if (serials.indexOf(serial) + 1 < generation) old.push(serial);
      await sleep(PAUSE_MS);
    });
    await waitFor(() => load.done > 30);
    for (let round = 1; round <= 3; round += 1) {
      const serial = await harness.rotate();
      serials.push(serial);
      await settled(dispatcher, secrets);
      const reached = load.done + 30;
      await waitFor(() => load.done > reached);
      for (const way of ways) expect(await way()).toBe(serial);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(old).toEqual([]);
  });

  it('opens connections with the current certificate only, also for queued requests', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    // Without keep-alive, each queued request needs a new connection.
    const dispatcher = dispatcherOf(harness, { connections: 1, pipelining: 0 });
    const answers = [1, 2, 3, 4].map(() => get(dispatcher, `${server.origin}/held`));
    const serials = [harness.firstSerial];
    for (const _round of [1, 2, 3]) {
      await waitFor(() => server.heldCount === 1);
      serials.push(await harness.rotate());
      await waitFor(() => dispatcher.rotation.generation === secrets.generation);
      server.release();
      await waitFor(() => server.connections.length === serials.length);
    }
    await waitFor(() => server.heldCount === 1);
    server.release();
    expect(await Promise.all(answers)).toEqual(serials);
    await settled(dispatcher, secrets);
  });
});

clientContract<HotDispatcher>({
  name: 'dispatcher',
  closedCode: 'UND_ERR_DESTROYED',
  make(secrets, pair, options = {}, { keepAlive = true } = {}) {
    const settings = keepAlive ? {} : { pipelining: 0, connections: 1 };
    const dispatcher = createDispatcher(secrets, (s) => ({ ...settings, connect: pair(s) }), options);
    onTestFinished(() => dispatcher.destroy());
    return dispatcher;
  },
  get,
});
