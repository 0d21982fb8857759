import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A proxy that leads CONNECT to one of `hosts` to the emulator: clients that cannot be given an agent follow
 * `HTTPS_PROXY`. It refuses every other host.
 */
export class ConnectProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(hosts: readonly string[], port: number) {
    const allowed = hosts.map((host) => `${host}:443`);
    this.#server = createServer((_, response) => response.writeHead(405).end());
    this.#server.on('connection', (socket) => this.#hold(socket.unref()));
    this.#server.on('connect', ({ url = '' }, client: Duplex) => {
      client.on('error', () => {});
      if (!allowed.includes(url.toLowerCase())) {
        client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        return;
      }
      const upstream = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        client.pipe(upstream).pipe(client);
      });
      this.#hold(upstream.unref());
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
    });
  }

  static async start(hosts: readonly string[], port: number): Promise<ConnectProxy> {
    const own = new ConnectProxy(hosts, port);
    await new Promise<void>((resolve, reject) => {
      own.#server.once('error', reject);
      own.#server.listen(0, '127.0.0.1', resolve);
    });
    own.#server.unref();
    return own;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
