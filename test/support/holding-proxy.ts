import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay that can hold back what new connections send, like a server that does not answer. */
export interface HoldingProxy extends AsyncDisposable {
  readonly port: number;
  /** Number of held connections. */
  readonly held: number;
  /** Holds new connections from now on, and keeps relaying the others. */
  hold(): void;
  release(): void;
}

export async function startHoldingProxy(target: { host: string; port: number }): Promise<HoldingProxy> {
  const sockets = new Set<Socket>();
  const waiting = new Map<Socket, Buffer[]>();
  let holding = false;

  function relay(client: Socket, first: readonly Buffer[] = []): void {
    const upstream = connect(target);
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
    for (const chunk of first) upstream.write(chunk);
    client.pipe(upstream).pipe(client);
  }

  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => {});
    client.on('close', () => waiting.delete(client));
    if (!holding) return relay(client);
    // Without reading, the socket would not notice that the other side closed.
    const held: Buffer[] = [];
    waiting.set(client, held);
    client.on('data', (chunk) => {
      if (waiting.has(client)) held.push(chunk);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get held() {
      return waiting.size;
    },
    hold() {
      holding = true;
    },
    release() {
      holding = false;
      const all = [...waiting];
      waiting.clear();
      for (const [client, held] of all) relay(client, held);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
