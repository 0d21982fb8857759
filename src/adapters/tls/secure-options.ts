import type { SecureContext, SecureContextOptions } from 'node:tls';
import { checkedContext } from './checked-context';

/** What Node makes a context of; given a context, it looks at none of these. */
const CONTEXT_OPTIONS = [
  'allowPartialTrustChain',
  'ca',
  'cert',
  'certificateCompression',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'honorCipherOrder',
  'key',
  'maxVersion',
  'minVersion',
  'passphrase',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'secureOptions',
  'secureProtocol',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
] as const;

// `leaf` comes along when the value of a `secret.tls` is spread.
const OMITTED: ReadonlySet<string> = new Set([...CONTEXT_OPTIONS, 'secureContext', 'leaf']);

/** Options of TLS connections that may bring a context of their own. */
export type SecureOptions = SecureContextOptions & { readonly secureContext?: SecureContext | undefined };

/** The part of some options that a context is made of, or `undefined` when there is none. */
export function contextOptionsOf(options: object): SecureContextOptions | undefined {
  const given = options as Readonly<Record<string, unknown>>;
  const names = CONTEXT_OPTIONS.filter((name) => given[name] !== undefined);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

/** The other part. */
export function withoutContextOptions<O extends object>(options: O): O {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OMITTED.has(name))) as O;
}

/**
 * The context that options ask for, made once instead of at each connection: that is when a bad pair is found, and after
 * it nothing that a client keeps, prints or names its connections by holds a key.
 * @throws `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function contextFor(name: string, options: SecureOptions): SecureContext {
  return options.secureContext ?? checkedContext(name, options, 'optional');
}
