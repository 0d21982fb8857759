import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type Server, type TLSSocket } from 'node:tls';
import { mountedFiles, SecretStore, secret, type TlsMaterial } from 'hot-secrets';
import { createTestMount, type TestMount } from 'hot-secrets/testing';
import { onTestFinished } from 'vitest';
import { type Authority, createAuthority, type Issued } from './certificates';

/** The files of a pair, as a mount has them. */
export const files = (prefix: string, { chain, key }: Pick<Issued, 'chain' | 'key'>) => ({
  [`${prefix}.crt`]: chain,
  [`${prefix}.key`]: key,
});

/** The pairs of one server in a mount of their own, followed by a store. */
export interface TlsHarness {
  readonly authority: Authority;
  readonly mount: TestMount;
  readonly secrets: SecretStore<{ readonly web: TlsMaterial; readonly api: TlsMaterial }>;
  /** A pair whose certificate says `commonName`. */
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

/** Lets a server listen until the test is over. Returns its port. */
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

/** What a client saw in a handshake. */
export interface Handshake {
  readonly socket: TLSSocket;
  /** The common name of the server's certificate. */
  readonly commonName: string;
  readonly protocol: string | null;
  readonly resumed: boolean;
  /** Resolves with the newest session: TLS 1.3 has one only after the handshake. */
  session(): Promise<Buffer>;
}

/** Connects, and rejects as the handshake does. The socket is closed with the test, if not before. */
export async function handshake(port: number, options: ConnectionOptions): Promise<Handshake> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  const sessions: Buffer[] = [];
  socket.on('session', (session) => sessions.push(session));
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    // A resumed session shows no certificate.
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

/** A TCP connection that has not said a word of TLS yet; `secure` begins its handshake. */
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

/** The lines of a key, none of which may be seen anywhere. */
export function linesOf(pem: string): string[] {
  return pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'));
}
