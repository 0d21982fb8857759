import type { SecureContextOptions, Server } from 'node:tls';
import { hide } from '../../internal/hidden';

/** The options of a server's creation that `setSecureContext` resets when they are omitted. */
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

/** The settings of a server apart from the pair. */
export function inheritedOptions(server: Server): SecureContextOptions {
  const own = server as unknown as Readonly<Record<string, unknown>>;
  const given = INHERITED.map((option) => [option, own[option]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The properties that `setSecureContext` sets on the server before it notices that the pair does not match. */
const NOTED = [
  ...INHERITED,
  ...PRIVATE,
  'cert',
  'clientCertEngine',
  'privateKeyEngine',
  'privateKeyIdentifier',
];

/** Returns a function that restores the current options. Node replaces the context last, so it needs no restoring. */
export function rememberOptions(server: Server): () => void {
  const own = server as unknown as Record<string, unknown>;
  const noted = NOTED.map((option) => [option, own[option]] as const);
  return () => {
    for (const [option, value] of noted) own[option] = value;
  };
}

/** Hides the key, which printing a request would show: `request.socket.server.key`. */
export function hidePrivateOptions(server: Server): void {
  for (const option of PRIVATE) hide(server, option, (server as unknown as Record<string, unknown>)[option]);
}
