import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAgent, type HotAgent } from 'hot-secrets/https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientContract } from '../support/client-contract';
import { get, noteDials } from '../support/https-client';
import { startLoad } from '../support/load';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

/** Between the requests of a worker: without it, twelve workers and their server only wait for the processor. */
const PAUSE_MS = 3;

function agentOf({ secrets }: ClientHarness, settings: object = {}, options: object = {}) {
  const agent = createAgent(secrets, (s) => ({ keepAlive: true, ...settings, ...pairAndTrust(s) }), options);
  onTestFinished(() => agent.destroy());
  return agent;
}

describe('a rotation of the client certificate of an agent', () => {
  it.each<[title: string, settings: object]>([
    ['kept-alive connections', { keepAlive: true }],
    ['at most two connections', { keepAlive: true, maxSockets: 2 }],
    ['at most three connections in all', { keepAlive: true, maxTotalSockets: 3 }],
    ['a connection for each request', { keepAlive: false }],
  ])(
    'fails no request under load, and opens connections with the current certificate only (%s)',
    async (_title, settings) => {
      const harness = await startClientHarness();
      const { server, secrets } = harness;
      const agent = agentOf(harness, settings);
      const dials = noteDials(agent);
      const serials = [harness.firstSerial];
      const old: string[] = [];
      const load = startLoad(12, async () => {
        const { generation } = agent.rotation;
        const serial = await get(agent, server.origin);
        if (serials.indexOf(serial) + 1 < generation) old.push(serial);
        await sleep(PAUSE_MS);
      });
      await waitFor(() => load.done > 50);

      for (let round = 1; round <= 3; round += 1) {
        const serial = await harness.rotate();
        serials.push(serial);
        await settled(agent, secrets);
        const reached = load.done + 40;
        await waitFor(() => load.done > reached);
        expect(await get(agent, server.origin)).toBe(serial);
      }
      expect((await load.stop()).failures).toEqual([]);
      expect(old).toEqual([]);
      expect(new Set(dials.map(({ generation }) => generation)).size).toBe(4);
      for (const { generation, serial } of dials) expect(serial).toBe(serials[generation - 1]);
    },
  );

  it('sends waiting requests with the new certificate, in their async context', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const agent = agentOf(harness, { maxSockets: 1 });
    const context = new AsyncLocalStorage<number>();
    const ask = (number: number) =>
      context.run(number, () => {
        let seen: number | undefined;
        const answer = get(agent, `${server.origin}/held`, {}, () => {
          seen = context.getStore();
        });
        return answer.then((serial) => [serial, seen]);
      });
    // The first request holds the only connection. Each generation has another one, for the next request.
    const answers = [0, 1, 2, 3].map(ask);
    const serials = [harness.firstSerial];
    for (const round of [1, 2, 3]) {
      await waitFor(() => server.heldCount === round);
      expect(Object.values(agent.requests).flat()).toHaveLength(4 - round);
      serials.push(await harness.rotate());
    }
    await waitFor(() => server.heldCount === 4);
    expect(agent.rotation.staleCount).toBe(3);
    server.release();
    expect(await Promise.all(answers)).toEqual(serials.map((serial, number) => [serial, number]));
    await settled(agent, secrets);
  });
});

clientContract<HotAgent>({
  name: 'HTTPS agent',
  closedCode: 'ECONNRESET',
  make(secrets, pair, options = {}, { keepAlive = true } = {}) {
    const agent = createAgent(secrets, (s) => ({ ...pair(s), keepAlive }), options);
    onTestFinished(() => agent.destroy());
    return agent;
  },
  get,
});
