import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay to a Redis server that delivers what contains a login late. */
export interface SlowProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  delayMs: number;
}

export async function startSlowProxy(target: { host: string; port: number }): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
      socket.on('error', () => {});
    }
    upstream.pipe(client);
    let order = Promise.resolve();
    client.on('data', (chunk) => {
      const isLogin = proxy.delayMs > 0 && /\r\nAUTH\r\n/i.test(chunk.toString('latin1'));
      order = order
        .then(() => (isLogin ? new Promise((resolve) => setTimeout(resolve, proxy.delayMs)) : undefined))
        .then(() => void upstream.write(chunk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: SlowProxy = {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
