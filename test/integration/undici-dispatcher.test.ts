import { memory, SecretStore, type SecretsError } from 'hot-secrets';
import { createDispatcher } from 'hot-secrets/undici';
import type { Dispatcher } from 'undici';
import { request, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { startLoad } from '../support/load';
import { serialOf, startMutualTlsServer } from '../support/mutual-tls';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

function dispatcherOf({ secrets }: ClientHarness, settings: object = {}, options: object = {}) {
  const recipe = (s: Parameters<typeof pairAndTrust>[0]) => ({ ...settings, connect: pairAndTrust(s) });
  const dispatcher = createDispatcher(secrets, recipe, options);
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

async function get(dispatcher: Dispatcher, url: string): Promise<string> {
  return (await request(url, { dispatcher })).body.text();
}

describe('a rotation of the client certificate', () => {
  it.each([
    { settings: {}, title: 'as many connections as it takes' },
    { settings: { connections: 2 }, title: 'a queue before two connections' },
    { settings: { connections: 1, pipelining: 4 }, title: 'pipelining' },
    { settings: { pipelining: 0 }, title: 'a connection for each request' },
    { settings: { connections: 1, pipelining: 0 }, title: 'a queue before one connection at a time' },
  ])('fails no request under load, and shows the new one ($title)', async ({ settings }) => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = dispatcherOf(harness, settings);
    const ways = [
      () => get(dispatcher, server.origin),
      async () => (await undiciFetch(server.origin, { dispatcher })).text(),
      // Node's own fetch, with a dispatcher of the package.
      async () => (await fetch(server.origin, { dispatcher } as object)).text(),
    ];
    const serials = [harness.firstSerial];
    const old: string[] = [];
    let asked = 0;
    const load = startLoad(9, async () => {
      asked += 1;
      const { generation } = dispatcher.rotation;
      const serial = await (ways[asked % 3] as () => Promise<string>)();
      if (serials.indexOf(serial) + 1 < generation) old.push(serial);
    });
    await waitFor(() => load.done > 30);
    for (let round = 1; round <= 5; round += 1) {
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

  it('opens no connection with a replaced one, also for requests that were queued before', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    // Without keep-alive, each request in the queue needs a connection of its own.
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

  it('resumes no TLS session of an older one', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const dispatcher = dispatcherOf(harness, { pipelining: 0, connections: 1 });
    let serial = harness.firstSerial;
    for (let round = 0; round < 4; round += 1) {
      if (round > 0) serial = await harness.rotate();
      await settled(dispatcher, secrets);
      // Twice, so that the second shows that sessions are resumed at all.
      for (const _request of [1, 2]) expect(await get(dispatcher, server.origin)).toBe(serial);
      expect(server.connections.slice(-2)).toEqual([
        { serial, resumed: false },
        { serial, resumed: true },
      ]);
    }
  });

  it('lets requests under way finish on their connection, which is closed then', async () => {
    const harness = await startClientHarness();
    const { server } = harness;
    const dispatcher = dispatcherOf(harness);
    const drained: unknown[] = [];
    dispatcher.rotation.on('drained', (event) => drained.push(event));
    const long = get(dispatcher, `${server.origin}/held`);
    await waitFor(() => server.heldCount === 1);
    for (const round of [1, 2, 3]) {
      const serial = await harness.rotate();
      await waitFor(() => dispatcher.rotation.generation === round + 1);
      expect(await get(dispatcher, server.origin)).toBe(serial);
    }
    await waitFor(() => dispatcher.rotation.staleCount === 1 && drained.length === 2);
    server.release();
    expect(await long).toBe(harness.firstSerial);
    await waitFor(() => drained.length === 3);
    expect(drained[2]).toEqual({
      name: 'dispatcher',
      generation: 1,
      forced: false,
      durationMs: expect.any(Number),
    });
    await waitFor(() => server.openCount === 1);
    expect(dispatcher.rotation.staleCount).toBe(0);
  });

  it('changes nothing and is reported once when the pair does not match, and gives way to a good one', async () => {
    const { authority, server } = await startClientHarness();
    const first = await authority.issue();
    const pairs = memory({ cert: first.chain, key: first.key });
    const secrets = await SecretStore.open({ secrets: { cert: 'cert', key: 'key' }, sources: [pairs] });
    onTestFinished(() => secrets.close());
    const dispatcher = createDispatcher(
      secrets,
      (s) => ({ connect: { cert: s.reveal('cert'), key: s.reveal('key'), ca: authority.cert } }),
      { name: 'billing client', retryBaseMs: 1, retryMaxMs: 5 },
    );
    onTestFinished(() => dispatcher.destroy());
    const rejected: SecretsError[] = [];
    dispatcher.rotation.on('rejected', ({ error }) => rejected.push(error));
    const load = startLoad(4, () => get(dispatcher, server.origin));

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
      expect(dispatcher.rotation).toMatchObject({ generation: 1, staleCount: 0 });
    }
    pairs.set({ cert: good.chain, key: good.key });
    await waitFor(() => dispatcher.rotation.generation === 5);
    expect(await get(dispatcher, server.origin)).toBe(serialOf(good));
    expect((await load.stop()).failures).toEqual([]);
    expect(rejected.map(({ code }) => code)).toEqual(Array(3).fill('TLS_OPTIONS_INVALID'));
    for (const { message } of rejected) expect(message).toContain('billing client');
  });

  it('closes what still uses an older one at the deadline', async () => {
    const harness = await startClientHarness();
    const { server } = harness;
    const dispatcher = dispatcherOf(harness, {}, { drainTimeoutMs: 50 });
    const errors: SecretsError[] = [];
    const drained: unknown[] = [];
    dispatcher.rotation.on('error', (error) => errors.push(error));
    dispatcher.rotation.on('drained', (event) => drained.push(event));
    const long = get(dispatcher, `${server.origin}/held`);
    long.catch(() => {});
    await waitFor(() => server.heldCount === 1);
    await harness.rotate();
    await expect(long).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
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
    const dispatcher = dispatcherOf(harness);
    const rotated: unknown[] = [];
    dispatcher.rotation.on('swapped', (event) => rotated.push(event));
    const load = startLoad(4, () => get(dispatcher, server.origin));
    await get(dispatcher, forgotten.origin);

    source.set({ 'ca.crt': young.cert });
    await waitFor(() => rotated.length === 1);
    server.show(await young.issue());
    const reached = load.done + 20;
    await waitFor(() => load.done > reached);
    // Two requests, so that there is a kept-alive connection and a session to forget.
    for (const _request of [1, 2]) await get(dispatcher, forgotten.origin);
    expect(rotated).toHaveLength(1);

    await waitFor(() => rotated.length === 2);
    expect(secrets.generation).toBe(2);
    await expect(get(dispatcher, forgotten.origin)).rejects.toMatchObject({
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
    });
    await get(dispatcher, server.origin);
    expect((await load.stop()).failures).toEqual([]);
    await settled(dispatcher, secrets);
  });
});
