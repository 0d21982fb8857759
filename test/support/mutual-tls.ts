import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Authority, Issued } from './certificates';

/** A connection as the server sees it. */
export interface SeenConnection {
  /** Serial number of the client's certificate. */
  readonly serial: string;
  readonly resumed: boolean;
}

/** A server that demands a client certificate and answers with its serial number. */
export interface MutualTlsServer {
  readonly port: number;
  readonly origin: string;
  /** In the order of their handshakes. */
  readonly connections: readonly SeenConnection[];
  /** Open connections, including those without a finished handshake. */
  readonly openCount: number;
  /** Requests to `/held` that wait for `release`. */
  readonly heldCount: number;
  release(): void;
  /** Presents this certificate from now on. */
  show(issued: Issued): void;
}

/** Starts a server that accepts client certificates of the authority `clients`, and closes it when the test ends. */
export async function startMutualTlsServer(
  issued: Issued,
  clients: Authority,
  options: ServerOptions = {},
): Promise<MutualTlsServer> {
  const connections: SeenConnection[] = [];
  const open = new Set<Socket>();
  const held = new Set<() => void>();
  const pair = (one: Issued) => ({ cert: one.chain, key: one.key, ca: clients.cert });
  const server = createServer(
    { ...pair(issued), requestCert: true, rejectUnauthorized: true, ...options },
    (request: IncomingMessage, response: ServerResponse) => {
      const { serialNumber } = (request.socket as TLSSocket).getPeerCertificate();
      const answer = () => response.end(serialNumber);
      if (request.url !== '/held') return answer();
      held.add(answer);
      return response.once('close', () => held.delete(answer));
    },
  );
  // The server must not close idle connections during a test.
  server.keepAliveTimeout = 300_000;
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('secureConnection', (socket) => {
    connections.push({ serial: socket.getPeerCertificate().serialNumber, resumed: socket.isSessionReused() });
    // A destroyed client resets its connection.
    socket.on('error', () => {});
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    origin: `https://localhost:${port}`,
    connections,
    get openCount() {
      return open.size;
    },
    get heldCount() {
      return held.size;
    },
    release() {
      for (const answer of [...held]) answer();
    },
    show: (next) => server.setSecureContext(pair(next)),
  };
}

/** The serial number of a certificate, as `getPeerCertificate` writes it. */
export function serialOf({ cert }: Issued): string {
  return new X509Certificate(cert).serialNumber;
}
