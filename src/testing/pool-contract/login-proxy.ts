import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay in front of a server, for bad days of logins. It never disturbs connections that it relays already. */
export interface LoginProxy {
  readonly port: number;
  /** Delays what new connections send, in milliseconds. */
  delayMs: number;
  /** Closes new connections immediately. */
  refuses: boolean;
  /** The number of connections that it has accepted so far, those that it closed immediately included. */
  readonly opened: number;
  /** How many of them have ended. */
  readonly ended: number;
  /** The number of held connections. */
  readonly held: number;
  /** Holds new connections, as a server that does not answer. */
  hold(): void;
  /** Relays the held connections, and new ones. */
  release(): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function startLoginProxy(target: { host: string; port: number }): Promise<LoginProxy> {
  const sockets = new Set<Socket>();
  const held = new Map<Socket, Buffer[]>();
  let opened = 0;
  let ended = 0;
  let holding = false;

  const relay = (client: Socket, first: readonly Buffer[] = []) => {
    const upstream = connect(target);
    sockets.add(upstream);
    upstream.on('error', () => {});
    upstream.on('close', () => {
      sockets.delete(upstream);
      client.destroy();
    });
    client.on('close', () => upstream.destroy());
    upstream.pipe(client);
    for (const chunk of first) upstream.write(chunk);
    if (proxy.delayMs === 0) client.pipe(upstream);
    else setTimeout(() => client.pipe(upstream), proxy.delayMs);
  };

  const server = createServer((client) => {
    opened += 1;
    sockets.add(client);
    client.on('error', () => {});
    client.on('close', () => {
      ended += 1;
      sockets.delete(client);
      held.delete(client);
    });
    if (proxy.refuses) return client.destroy();
    if (!holding) return relay(client);
    // A socket that nobody reads would not notice that the other side has closed it.
    const chunks: Buffer[] = [];
    held.set(client, chunks);
    client.on('data', (chunk) => {
      if (held.has(client)) chunks.push(chunk);
    });
  });
  server.listen(0, HOST);
  await once(server, 'listening');

  const proxy: LoginProxy = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    refuses: false,
    get opened() {
      return opened;
    },
    get ended() {
      return ended;
    },
    get held() {
      return held.size;
    },
    hold() {
      holding = true;
    },
    release() {
      holding = false;
      const all = [...held];
      held.clear();
      for (const [client, chunks] of all) relay(client, chunks);
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
  return proxy;
}
