import type { X509Certificate } from 'node:crypto';
import { duplexPair } from 'node:stream';
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContextOptions,
  TLSSocket,
} from 'node:tls';

/** What a client sees in a handshake. */
export interface Handshake {
  readonly error: Error | undefined;
  readonly peer: X509Certificate | undefined;
}

/** Runs one handshake in memory between a server with these options and a client that verifies it. */
export async function handshake(server: SecureContextOptions, client: ConnectionOptions): Promise<Handshake> {
  const [near, far] = duplexPair();
  const serverSocket = new TLSSocket(far, { isServer: true, secureContext: createSecureContext(server) });
  serverSocket.on('error', () => {});
  const socket = connect({ ...client, socket: near });
  try {
    return await new Promise<Handshake>((resolve) => {
      socket.once('error', (error) => resolve({ error, peer: undefined }));
      socket.once('secureConnect', () =>
        resolve({ error: undefined, peer: socket.getPeerX509Certificate() }),
      );
    });
  } finally {
    socket.destroy();
    serverSocket.destroy();
  }
}
