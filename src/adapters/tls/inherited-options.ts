import type { SecureContextOptions, Server } from 'node:tls';

/** What a server keeps of the options that it was created with, and `setSecureContext` resets when it is left out. */
const INHERITED = [
  'ca',
  'certificateCompression',
  'ciphers',
  'crl',
  'dhparam',
  'ecdhCurve',
  'honorCipherOrder',
  'maxVersion',
  'minVersion',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
] as const;

/** Options that Node keeps as enumerable properties of the server. */
const PRIVATE = ['key', 'passphrase', 'pfx', 'ticketKeys'] as const;

/** The settings of a server that are not the pair. */
export function inheritedOptions(server: Server): SecureContextOptions {
  const own = server as unknown as Readonly<Record<string, unknown>>;
  const given = INHERITED.map((option) => [option, own[option]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** What `setSecureContext` notes on the server before it finds out that the pair does not match. */
const NOTED = [
  ...INHERITED,
  ...PRIVATE,
  'cert',
  'clientCertEngine',
  'privateKeyEngine',
  'privateKeyIdentifier',
];

/** Returns a function that restores the current options. The context itself is replaced last, and needs no restoring. */
export function rememberOptions(server: Server): () => void {
  const own = server as unknown as Record<string, unknown>;
  const noted = NOTED.map((option) => [option, own[option]] as const);
  return () => {
    for (const [option, value] of noted) own[option] = value;
  };
}

/** Printing a request would print the key: `request.socket.server.key`. */
export function hidePrivateOptions(server: Server): void {
  for (const option of PRIVATE) {
    const { value } = Object.getOwnPropertyDescriptor(server, option) ?? {};
    Object.defineProperty(server, option, { value, writable: true, configurable: true, enumerable: false });
  }
}
