import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import https, { Agent } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { createAgent } from 'hot-secrets/https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../support/certificates';
import { childFile } from '../support/child-file';
import { get } from '../support/https-client';
import { type ClientHarness, pairAndTrust, settled, startClientHarness } from '../support/tls-client-harness';
import { waitFor } from '../support/wait-for';

const CHILD = fileURLToPath(new URL('../support/https-exit-child.ts', import.meta.url));

function agentOf({ secrets }: ClientHarness, settings: object = {}, options: object = {}) {
  const agent = createAgent(secrets, (s) => ({ keepAlive: true, ...settings, ...pairAndTrust(s) }), options);
  onTestFinished(() => agent.destroy());
  return agent;
}

/** The lines of a PEM key, which must never be printed. */
const bodyOf = (pem: string) => pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'));

describe('the agent of createAgent()', () => {
  it('returns an https.Agent that keeps the settings of its first recipe', async () => {
    const harness = await startClientHarness();
    const agent = agentOf(harness, { maxSockets: 3, maxFreeSockets: 2, scheduling: 'fifo', timeout: 1234 });
    expect(agent).toBeInstanceOf(Agent);
    for (const _round of [1, 2, 3]) {
      expect(agent).toMatchObject({ protocol: 'https:', defaultPort: 443, keepAlive: true, maxSockets: 3 });
      expect(agent).toMatchObject({ maxFreeSockets: 2, scheduling: 'fifo', options: { timeout: 1234 } });
      await Promise.all(Array.from({ length: 6 }, () => get(agent, harness.server.origin)));
      await waitFor(() => Object.values(agent.freeSockets).flat().length === 2);
      await harness.rotate();
      await settled(agent, harness.secrets);
    }
  });

  it('lists sockets and requests under the names that getName() returns now', async () => {
    const harness = await startClientHarness();
    const { server } = harness;
    const agent = agentOf(harness, { maxSockets: 1 });
    const held = [get(agent, `${server.origin}/held`), get(agent, `${server.origin}/held`)];
    await waitFor(() => server.heldCount === 1);
    const name = agent.getName({ host: 'localhost', port: server.port });
    expect(Object.keys(agent.sockets)).toEqual([name]);
    expect(agent.requests[name]).toHaveLength(1);
    await harness.rotate();
    await waitFor(() => server.heldCount === 2);
    const next = agent.getName({ host: 'localhost', port: server.port });
    expect(Object.keys(agent.sockets)).toEqual([name, next]);
    expect(agent.requests).toEqual({});
    server.release();
    await Promise.all(held);
    await waitFor(() => Object.keys(agent.freeSockets).includes(next));
    expect(agent.freeSockets).not.toHaveProperty([name]);
  });

  it('keeps private keys out of everything that an agent prints', async () => {
    const harness = await startClientHarness();
    const { server, secrets, authority } = harness;
    const agent = agentOf(harness);
    const own = await authority.issue();
    const keys = [secrets.reveal('client').key as string];
    const request = https.get(`${server.origin}/held`, { agent });
    request.on('error', () => {});
    await waitFor(() => server.heldCount === 1);
    await harness.rotate();
    await waitFor(() => agent.rotation.generation === 2);
    keys.push(secrets.reveal('client').key as string);
    await get(agent, server.origin);

    const socket = Object.values(agent.freeSockets).flat()[0] as TLSSocket;
    const things = [agent, agent.options, agent.rotation, agent.sockets, agent.freeSockets, request, socket];
    const shown = things.map((thing) => inspect(thing, { depth: 8, showHidden: true })).join();
    for (const line of keys.flatMap(bodyOf)) expect(shown).not.toContain(line);
    expect(Object.keys(agent.options)).not.toContain('cert');

    const named = createAgent(secrets, (s) => ({ ca: s.reveal('ca').ca, keepAlive: true }));
    await get(named, server.origin, { cert: own.chain, key: own.key });
    const names = Object.keys({ ...named.sockets, ...named.freeSockets });
    expect(names).toHaveLength(1);
    for (const line of bodyOf(own.key)) expect(names.join()).not.toContain(line);
    named.destroy();
  });

  it('uses TLS options of a request that its recipe does not set', async () => {
    const harness = await startClientHarness();
    const { server, secrets, authority } = harness;
    const agent = createAgent(secrets, (s) => ({ keepAlive: s.has('client') }));
    onTestFinished(() => agent.destroy());
    await expect(get(agent, server.origin)).rejects.toMatchObject({ code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    for (const _request of [1, 2]) {
      const { chain, key, cert } = await authority.issue();
      const { serialNumber } = new X509Certificate(cert);
      expect(await get(agent, server.origin, { ca: authority.cert, cert: chain, key })).toBe(serialNumber);
    }
    const following = agentOf(harness);
    const other = await authority.issue();
    // As with any agent, the options of the agent win.
    const answer = await get(following, server.origin, { cert: other.chain, key: other.key });
    expect(answer).toBe(harness.firstSerial);
    const refuses = { checkServerIdentity: () => new Error('not this one') };
    await expect(get(following, server.origin, refuses)).rejects.toThrow('not this one');
  });

  it('verifies the server by the servername of the current recipe', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const agent = createAgent(secrets, (s) => ({
      ...pairAndTrust(s),
      keepAlive: true,
      servername: s.generation === 1 ? 'wrong.example' : 'localhost',
    }));
    onTestFinished(() => agent.destroy());
    await expect(get(agent, server.origin)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    const serial = await harness.rotate();
    await waitFor(() => agent.rotation.generation === 2);
    expect(await get(agent, server.origin)).toBe(serial);
  });

  it('fails a waiting request whose options conflict with the new recipe, and no other', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const agent = createAgent(secrets, (s) => ({
      ...pairAndTrust(s),
      maxSockets: 1,
      ...(s.generation === 1 ? {} : { minVersion: 'TLSv1.2' as const }),
    }));
    onTestFinished(() => agent.destroy());
    // It conflicts with the second recipe only.
    const own = { secureProtocol: 'TLS_method' };
    const asked = Promise.allSettled(
      [own, own, {}, {}].map((options) => get(agent, `${server.origin}/held`, options)),
    );
    await waitFor(() => server.heldCount === 2);
    const serial = await harness.rotate();
    await waitFor(() => server.heldCount === 3);
    server.release();
    expect(await asked).toMatchObject([
      { value: harness.firstSerial },
      { reason: { code: 'ERR_TLS_PROTOCOL_VERSION_CONFLICT' } },
      { value: harness.firstSerial },
      { value: serial },
    ]);
  });

  it('presents the client certificate as the global agent', async () => {
    const harness = await startClientHarness();
    const before = https.globalAgent;
    onTestFinished(() => {
      https.globalAgent = before;
    });
    const agent = agentOf(harness);
    https.globalAgent = agent;
    expect(await get(undefined as never, harness.server.origin)).toBe(harness.firstSerial);
    // Without the agent, a request has no client certificate.
    const { cert } = harness.authority;
    const bare = get(false as never, harness.server.origin, { ca: cert });
    await expect(bare).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|ERR_SSL/) });
  });

  it('drains an agent without waiting for upgraded connections, which stay open', async () => {
    const harness = await startClientHarness();
    const agent = agentOf(harness, {}, { drainTimeoutMs: 20 });
    const headers = { connection: 'Upgrade', upgrade: 'echo' };
    const request = https.get(harness.server.origin, { agent, headers });
    const [, socket] = (await once(request, 'upgrade')) as [unknown, TLSSocket];
    const drained: unknown[] = [];
    agent.rotation.on('drained', (event) => drained.push(event));
    await harness.rotate();
    await waitFor(() => drained.length === 1);
    expect(drained).toEqual([expect.objectContaining({ forced: false })]);
    socket.write('still here');
    expect(String((await once(socket, 'data'))[0])).toBe('still here');
    socket.destroy();
  });

  it('closes all connections and fails all requests when an agent is destroyed', async () => {
    const harness = await startClientHarness();
    const { server, secrets } = harness;
    const agent = agentOf(harness, { maxSockets: 1 });
    const events: unknown[] = [];
    agent.rotation.on('swapped', (event) => events.push(event));
    const old = get(agent, `${server.origin}/held`);
    await waitFor(() => server.heldCount === 1);
    await harness.rotate();
    await waitFor(() => agent.rotation.generation === 2);
    const [busy, waiting] = [get(agent, `${server.origin}/held`), get(agent, server.origin)];
    const failures = Promise.allSettled([old, busy, waiting]);
    await waitFor(() => server.heldCount === 2);

    agent.destroy();
    agent.destroy();
    expect((await failures).map((one) => (one as PromiseRejectedResult).reason.code)).toEqual([
      'ECONNRESET',
      'ECONNRESET',
      'ROTATION_CLOSED',
    ]);
    await expect(get(agent, server.origin)).rejects.toMatchObject({ code: 'ROTATION_CLOSED' });
    await waitFor(() => server.openCount === 0);
    expect([agent.sockets, agent.freeSockets, agent.requests]).toEqual([{}, {}, {}]);
    await harness.rotate();
    await secrets.refresh();
    expect(events).toHaveLength(1);
    expect(agent.rotation).toMatchObject({ generation: 2, staleCount: 0 });
  });

  it('keeps using its certificate once the store is closed', async () => {
    const harness = await startClientHarness();
    const agent = agentOf(harness);
    await harness.secrets.close();
    expect(await get(agent, harness.server.origin)).toBe(harness.firstSerial);
  });

  it('lets a process exit that never destroys its agent', async () => {
    const harness = await startClientHarness();
    const { chain, key } = await harness.authority.issue();
    const child = spawn(process.execPath, [childFile(CHILD)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(JSON.stringify({ url: harness.server.origin, chain, key, ca: harness.authority.cert }));
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    expect([status, output]).toEqual([0, 'done\n']);
  });
});

describe('the arguments of createAgent()', () => {
  it('refuses to make an agent when the first recipe is unusable', async () => {
    const { secrets, authority } = await startClientHarness();
    const [one, other] = [await authority.issue(), await createAuthority()];
    const made = (recipe: () => unknown) => () =>
      createAgent(secrets, (s) => {
        s.has('client');
        return recipe() as object;
      });
    const code = (expected: string) => expect.objectContaining({ code: expected });
    expect(made(() => ({ cert: one.cert, key: other.key }))).toThrow(code('TLS_OPTIONS_INVALID'));
    expect(made(() => ({ cert: one.cert }))).toThrow(code('PRIVATE_KEY_MISSING'));
    expect(made(() => ({ ca: [] }))).toThrow(code('CERTIFICATE_MISSING'));
    expect(made(() => ({ maxTotalSockets: -1 }))).toThrow(code('RECIPE_FAILED'));
    expect(made(() => undefined)).toThrow(code('RECIPE_FAILED'));
    expect(made(async () => ({}))).toThrow(code('RECIPE_ASYNC'));
  });

  it('refuses unknown and invalid options of createAgent', async () => {
    const { secrets } = await startClientHarness();
    expect(() => createAgent(secrets, () => ({}), { drainTimeout: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN', next: 'Did you mean "drainTimeoutMs"?' }),
    );
    expect(() => createAgent(secrets, () => ({}), { retryBaseMs: '1s' } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
    createAgent(secrets, pairAndTrust, { name: undefined, drainTimeoutMs: undefined } as never).destroy();
  });
});
