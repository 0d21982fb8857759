import { connect, type SecureContext, type SecureVersion } from 'node:tls';

export interface HandshakeOptions {
  readonly port: number;
  /** What the server's certificate is verified with; made once, because it costs as much as a handshake. */
  readonly secureContext: SecureContext;
  /** Default: `localhost`. */
  readonly servername?: string;
  readonly version?: SecureVersion;
}

const TIMEOUT_MS = 5000;

/** One new connection, verified, without resumption: the serial number of the certificate that the server showed. */
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
