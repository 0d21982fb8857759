import { createServer, type Server } from 'node:http';
import { Agent, type RequestOptions } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SecretsError } from '../../errors';

type Connected = (error: Error | null, socket: Duplex) => void;

/**
 * Connects to the emulator when a client connects to one of `hosts`, under their real names: the host check of TLS and the
 * checks of the clients stay on. It refuses other hosts, so that a test cannot reach the network by accident.
 */
export class LoopbackAgent extends Agent {
  readonly #hosts: readonly string[];
  readonly #port: number;

  constructor(hosts: readonly string[], port: number, ca: string) {
    super({ keepAlive: true, ca });
    this.#hosts = hosts;
    this.#port = port;
  }

  override createConnection(options: RequestOptions, connected?: Connected): Duplex | null | undefined {
    const host = options.host ?? '';
    if (this.#hosts.includes(host.toLowerCase())) {
      return super.createConnection({ ...options, host: '127.0.0.1', port: this.#port }, connected);
    }
    const onError = connected as ((error: Error) => void) | undefined;
    process.nextTick(() => onError?.(this.#unknownHost(host)));
    return undefined;
  }

  #unknownHost(host: string): SecretsError {
    return new SecretsError('OPTION_INVALID', `the Key Vault emulator does not serve the host "${host}"`, {
      next: `It serves ${this.#hosts.join(' and ')}.`,
    });
  }
}

/**
 * A proxy for clients that take no agent but follow `HTTPS_PROXY`: it connects CONNECT requests for `hosts` to the emulator
 * and refuses every other host.
 */
export class ConnectProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(hosts: readonly string[], port: number) {
    const allowed = hosts.map((host) => `${host}:443`);
    this.#server = createServer((_, response) => response.writeHead(405).end());
    this.#server.on('connection', (socket) => this.#track(socket.unref()));
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
      this.#track(upstream.unref());
      upstream.on('error', () => client.destroy());
      upstream.on('close', () => client.destroy());
      client.on('close', () => upstream.destroy());
    });
  }

  static async start(hosts: readonly string[], port: number): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(hosts, port);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    proxy.#server.unref();
    return proxy;
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

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
