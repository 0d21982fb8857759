import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { memory, SecretStore } from 'hot-secrets';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createTokenClient } from '../../support/token-client';
import { waitFor } from '../../support/wait-for';

let accepted: Set<string>;
let held: (() => void)[];
beforeEach(() => {
  accepted = new Set(['t1', 't2']);
  held = [];
});

/** A server that answers with the token of the request, and holds requests to `/held`. */
async function startServer(): Promise<number> {
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
    const answer = () => response.end(token);
    if (!accepted.has(token)) response.writeHead(401).end();
    else if (request.url === '/held') held.push(answer);
    else answer();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function open(options: object = {}) {
  const port = await startServer();
  const source = memory({ token: 't1', other: 'o1' });
  const secrets = await SecretStore.open({
    secrets: { token: 'token', other: 'other' },
    sources: [source],
  });
  onTestFinished(() => secrets.close());
  const client = createTokenClient(secrets, (s) => ({ port, token: s.reveal('token') }), options);
  onTestFinished(() => client.close());
  const rotate = async (values: Record<string, string>) => {
    source.set(values);
    await secrets.refresh();
  };
  return { client, secrets, source, rotate };
}

describe('a client built on RotatingClient', () => {
  it('connects its first state at once, and swaps to a new one before a listener hears of it', async () => {
    const { client, rotate } = await open();
    expect(client.rotation).toMatchObject({ generation: 1, staleCount: 0 });
    expect(await client.get('/')).toBe('t1');
    const heard: Promise<string>[] = [];
    client.rotation.on('swapped', () => heard.push(client.get('/')));
    await rotate({ other: 'o2' });
    await rotate({ token: 't2' });
    await waitFor(() => heard.length === 1);
    expect(await heard[0]).toBe('t2');
    expect(client.rotation.generation).toBe(3);
  });

  it('keeps the old state while the server refuses the new one, and retries until it is accepted', async () => {
    const { client, rotate } = await open({ retryBaseMs: 1, retryMaxMs: 5 });
    const rejected: string[] = [];
    client.rotation.on('rejected', ({ error }) => rejected.push(`${error.code} ${error.resource}`));
    await rotate({ token: 't3' });
    await waitFor(() => rejected.length === 1);
    expect(await client.get('/')).toBe('t1');
    accepted.add('t3');
    await waitFor(() => client.rotation.generation === 2);
    expect(await client.get('/')).toBe('t3');
    expect(rejected).toEqual(['CREDENTIAL_REFUSED token client']);
  });

  it('counts a request on the old state as stale, lets it finish, and reports the drain', async () => {
    const { client, rotate } = await open();
    const drained: unknown[] = [];
    client.rotation.on('drained', (event) => drained.push(event));
    const long = client.get('/held');
    await waitFor(() => held.length === 1);
    await rotate({ token: 't2' });
    await waitFor(() => client.rotation.generation === 2 && client.rotation.staleCount === 1);
    held[0]?.();
    expect(await long).toBe('t1');
    await waitFor(() => drained.length === 1);
    expect(drained).toEqual([expect.objectContaining({ generation: 1, forced: false })]);
    expect(client.rotation.staleCount).toBe(0);
  });

  it('refreshes the store when the server refuses the current credential', async () => {
    const { client, source } = await open();
    const refused: unknown[] = [];
    const events = client.rotation as unknown as {
      on(event: 'refused', listener: (payload: unknown) => void): void;
    };
    events.on('refused', (event) => refused.push(event));
    accepted.delete('t1');
    // Only the refusal makes the store refresh.
    source.set({ token: 't2' });
    await expect(client.get('/')).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    await waitFor(() => client.rotation.generation === 2);
    expect(await client.get('/')).toBe('t2');
    expect(refused).toEqual([expect.objectContaining({ name: 'token client', generation: 1, waiting: 1 })]);
  });
});
