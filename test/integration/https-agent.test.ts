import { AsyncLocalStorage } from 'node:async_hooks';
import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { createAgent } from 'hot-secrets/https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { get, noteDials } from '../support/https-client';
import { startLoad } from '../support/load';
import { serialOf, startMutualTlsServer } from '../support/mutual-tls';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

function agentOf({ secrets }: ClientHarness, settings: object = {}, options: object = {}) {
  const agent = createAgent(secrets, (s) => ({ keepAlive: true, ...settings, ...pairAndTrust(s) }), options);
  onTestFinished(() => agent.destroy());
  return agent;
}

describe('a rotation of the client certificate', () => {
  it.each([
    { settings: { keepAlive: true }, title: 'kept-alive connections' },
    { settings: { keepAlive: true, maxSockets: 2 }, title: 'a queue before two connections' },
    { settings: { keepAlive: true, maxTotalSockets: 3 }, title: 'a queue before three connections in all' },
    { settings: { keepAlive: false }, title: 'a connection for each request' },
  ])('fails no request under load, and no connection shows an older one ($title)', async ({ settings }) => {
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
    });
    await waitFor(() => load.done > 50);

    for (let round = 1; round <= 5; round += 1) {
      const serial = await harness.rotate();
      serials.push(serial);
      await settled(agent, secrets);
      const reached = load.done + 40;
      await waitFor(() => load.done > reached);
      expect(await get(agent, server.origin)).toBe(serial);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(old).toEqual([]);
    expect(new Set(dials.map(({ generation }) => generation)).size).toBe(6);
    for (const { generation, serial } of dials) expect(serial).toBe(serials[generation - 1]);
  });

  it('resumes no TLS session of an older one', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const agent = agentOf(harness, { keepAlive: false });
    let serial = harness.firstSerial;
    for (let round = 0; round < 4; round += 1) {
      if (round > 0) serial = await harness.rotate();
      await settled(agent, secrets);
      // Twice, so that the second shows that sessions are resumed at all.
      for (const _request of [1, 2]) expect(await get(agent, server.origin)).toBe(serial);
      expect(server.connections.slice(-2)).toEqual([
        { serial, resumed: false },
        { serial, resumed: true },
      ]);
    }
  });

  it('lets requests under way finish on their connection, which is closed then', async () => {
    const harness = await startClientHarness();
    const { server } = harness;
    const agent = agentOf(harness);
    const drained: unknown[] = [];
    agent.rotation.on('drained', (event) => drained.push(event));
    const long = get(agent, `${server.origin}/held`);
    await waitFor(() => server.heldCount === 1);

    for (const round of [1, 2, 3]) {
      const serial = await harness.rotate();
      await waitFor(() => agent.rotation.generation === round + 1);
      expect(await get(agent, server.origin)).toBe(serial);
    }
    // Those in between were idle.
    await waitFor(() => agent.rotation.staleCount === 1 && drained.length === 2);
    server.release();
    expect(await long).toBe(harness.firstSerial);
    await waitFor(() => drained.length === 3);
    expect(drained[2]).toEqual({
      name: 'HTTPS agent',
      generation: 1,
      forced: false,
      durationMs: expect.any(Number),
    });
    expect(agent.rotation.staleCount).toBe(0);
    expect(server.openCount).toBe(1);
  });

  it('sends requests that wait for a connection with the new one, in their own async context', async () => {
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
    // The first holds the only connection; in each generation there is another one, for the next in the queue.
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

  it('changes nothing and is reported once when the pair does not match, and gives way to a good one', async () => {
    const harness = await startClientHarness();
    const { server, authority } = harness;
    const pairs = memory({ cert: '', key: '' });
    const first = await authority.issue();
    pairs.set({ cert: first.chain, key: first.key });
    const secrets = await SecretStore.open({ secrets: { cert: 'cert', key: 'key' }, sources: [pairs] });
    onTestFinished(() => secrets.close());
    const agent = createAgent(
      secrets,
      (s) => ({ cert: s.reveal('cert'), key: s.reveal('key'), ca: authority.cert, keepAlive: true }),
      { name: 'billing client', retryBaseMs: 1, retryMaxMs: 5 },
    );
    onTestFinished(() => agent.destroy());
    const rejected: SecretsError[] = [];
    agent.rotation.on('rejected', ({ error }) => rejected.push(error));
    const load = startLoad(4, () => get(agent, server.origin));

    const [good, other] = [await authority.issue(), await authority.issue()];
    for (const bad of [
      { cert: good.chain, key: other.key },
      { cert: 'no certificate', key: other.key },
      { cert: good.chain, key: 'no key' },
    ]) {
      const before = rejected.length;
      pairs.set(bad);
      await waitFor(() => rejected.length === before + 1);
      const reached = load.done + 20;
      await waitFor(() => load.done > reached);
      expect(agent.rotation).toMatchObject({ generation: 1, staleCount: 0 });
    }
    pairs.set({ cert: good.chain, key: good.key });
    await waitFor(() => agent.rotation.generation === 5);
    expect(await get(agent, server.origin)).toBe(serialOf(good));
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected.map(({ code }) => code)).toEqual(Array(3).fill('TLS_OPTIONS_INVALID'));
    for (const { message } of rejected) expect(message).toContain('billing client');
  });

  it('closes what still uses an older one at the deadline', async () => {
    const harness = await startClientHarness();
    const { server } = harness;
    const agent = agentOf(harness, {}, { drainTimeoutMs: 50 });
    const errors: SecretsError[] = [];
    const drained: unknown[] = [];
    agent.rotation.on('error', (error) => errors.push(error));
    agent.rotation.on('drained', (event) => drained.push(event));
    const long = get(agent, `${server.origin}/held`);
    long.catch(() => {});
    await waitFor(() => server.heldCount === 1);
    await harness.rotate();
    await expect(long).rejects.toMatchObject({ code: 'ECONNRESET' });
    await waitFor(() => drained.length === 1);
    expect(drained).toEqual([expect.objectContaining({ generation: 1, forced: true })]);
    expect(errors.map(({ code }) => code)).toEqual(['DRAIN_TIMEOUT']);
    await waitFor(() => server.openCount === 0);
  });
});

describe('a rotation of the authority', () => {
  it('trusts both while the old one is in its grace window, then refuses the old one everywhere', async () => {
    const harness = await startClientHarness({ keepPreviousMs: 1500 });
    const { server, secrets, source, authority: old } = harness;
    const young = await createAuthority('Young Authority');
    // It stays with the old authority for ever.
    const forgotten = await startMutualTlsServer(await old.issue(), old);
    const agent = agentOf(harness);
    const rotated: unknown[] = [];
    agent.rotation.on('swapped', (event) => rotated.push(event));
    const load = startLoad(4, () => get(agent, server.origin));
    await get(agent, forgotten.origin);

    source.set({ 'ca.crt': young.cert });
    await waitFor(() => rotated.length === 1);
    server.show(await young.issue());
    const reached = load.done + 20;
    await waitFor(() => load.done > reached);
    // Two requests, so that there is a kept-alive connection and a session to forget.
    for (const _request of [1, 2]) await get(agent, forgotten.origin);
    expect(rotated).toHaveLength(1);

    await waitFor(() => rotated.length === 2);
    expect(secrets.generation).toBe(2);
    await expect(get(agent, forgotten.origin)).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    await get(agent, server.origin);
    expect((await load.stop()).failures).toEqual([]);
    await settled(agent, secrets);
  });
});
