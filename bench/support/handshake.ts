import { connect, type SecureContext, type SecureVersion } from 'node:tls';

export interface HandshakeOptions {
  readonly port: number;
  /** Verifies the server's certificate. Create it once: it costs as much as a handshake. */
  readonly secureContext: SecureContext;
  /** Default: `localhost`. */
  readonly servername?: string;
  readonly version?: SecureVersion;
}

const TIMEOUT_MS = 5000;

/** Opens a new connection without resumption, verifies it, and returns the serial number of the server's certificate. */
export function handshake({ port, version, ...options }: HandshakeOptions): Promise<string> {
  const versions = version === undefined ? {} : { minVersion: version, maxVersion: version };
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ...versions, ...options });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('The handshake took too long.')));
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const serial = socket.getPeerX509Certificate()?.serialNumber ?? '';
      socket.once('close', () => resolve(serial));
      socket.end();
      socket.resume();
    });
  });
}
