import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type Server, type TLSSocket } from 'node:tls';
import { mountedFiles, SecretStore, secret, type TlsMaterial } from 'hot-secrets';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import { onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued } from './certificates';

/** The files of a pair in a mount. */
export const files = (prefix: string, { chain, key }: Pick<Issued, 'chain' | 'key'>) => ({
  [`${prefix}.crt`]: chain,
  [`${prefix}.key`]: key,
});

/** The pairs of one server in a mount, with the store that follows it. */
export interface TlsHarness {
  readonly authority: Authority;
  readonly mount: TestMount;
  readonly secrets: SecretStore<{ readonly web: TlsMaterial; readonly api: TlsMaterial }>;
  /** Issues a pair with this common name. */
  issue(commonName: string, hosts?: readonly string[]): Promise<Issued>;
  /** Issues a pair and puts it into the mount. */
  rotate(name: 'web' | 'api', commonName: string): Promise<Issued>;
}

/** A mount with the pairs `web` ("web-1") and `api` ("api-1", for api.test). */
export async function tlsHarness(): Promise<TlsHarness> {
  const authority = await createAuthority();
  const hosts = { web: ['localhost', '127.0.0.1'], api: ['api.test', 'other.test', 'a.wild.test'] };
  const issue = (commonName: string, names: readonly string[] = hosts.web) =>
    authority.issue({ commonName, hosts: names });
  const [web, api] = await Promise.all([issue('web-1'), issue('api-1', hosts.api)]);
  const mount = await createTestMount({ ...files('web', web), ...files('api', api) });
  const secrets = await SecretStore.open({
    secrets: {
      web: secret.tls({ cert: 'web.crt', key: 'web.key' }),
      api: secret.tls({ cert: 'api.crt', key: 'api.key' }),
    },
    sources: [mountedFiles(mount.path)],
  });
  onTestFinished(async () => {
    await secrets.close();
    await mount.cleanup();
  });
  return {
    authority,
    mount,
    secrets,
    issue,
    async rotate(name, commonName) {
      const issued = await issue(commonName, hosts[name]);
      await mount.rotate(files(name, issued));
      return issued;
    },
  };
}

/** Starts a server, and closes it when the test ends. Resolves with its port. */
export async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A finished handshake, as the client sees it. */
export interface Handshake {
  readonly socket: TLSSocket;
  /** The common name of the server's certificate. */
  readonly commonName: string;
  readonly protocol: string | null;
  readonly resumed: boolean;
  /** Resolves with the newest session, which TLS 1.3 sends after the handshake. */
  session(): Promise<Buffer>;
}

/** Connects, and rejects if the handshake fails. Closes the socket when the test ends. */
export async function handshake(port: number, options: ConnectionOptions): Promise<Handshake> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  const sessions: Buffer[] = [];
  socket.on('session', (session) => sessions.push(session));
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    // A resumed session has no certificate.
    commonName: String(socket.getPeerCertificate()?.subject?.CN),
    protocol: socket.getProtocol(),
    resumed: socket.isSessionReused(),
    async session() {
      while (sessions.length === 0) await once(socket, 'session');
      return sessions.at(-1) as Buffer;
    },
  };
}

/** The common name that a new client sees. */
export async function served(port: number, options: ConnectionOptions): Promise<string> {
  const { commonName, socket } = await handshake(port, options);
  socket.destroy();
  return commonName;
}

/** Opens a TCP connection. `secure` begins its TLS handshake. */
export async function connectWithoutHandshake(
  port: number,
): Promise<{ secure(options: ConnectionOptions): Promise<Handshake>; destroy(): void }> {
  const socket = connectTcp(port, '127.0.0.1');
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  return {
    secure: (options) => handshake(port, { ...options, socket }),
    destroy: () => void socket.destroy(),
  };
}

/** The lines of a key, none of which may be printed. */
export function linesOf(pem: string): string[] {
  return pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'));
}
