import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';

/**
 * Builds a context from the options of the resource called `name`: what OpenSSL refuses is refused here, before it gets
 * near a server or a client. `pair: 'required'` for servers; clients may have none, but not half of one.
 *
 * Node takes empty strings, a certificate without its key, and a `ca` that it cannot read, in silence, and then refuses
 * every handshake.
 *
 * `make` lets OpenSSL check the options in another way than by creating a context.
 *
 * @throws `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function checkedContext(
  name: string,
  options: SecureContextOptions,
  pair: 'required' | 'optional',
): SecureContext;
export function checkedContext<T>(
  name: string,
  options: SecureContextOptions,
  pair: 'required' | 'optional',
  make: (options: SecureContextOptions) => T,
): T;
export function checkedContext(
  name: string,
  options: SecureContextOptions,
  pair: 'required' | 'optional',
  make: (options: SecureContextOptions) => unknown = createSecureContext,
): unknown {
  const { cert, key, pfx, ca } = options;
  if (isEmpty(pfx)) {
    const some = !isEmpty(cert) || !isEmpty(key) || cert !== undefined || key !== undefined;
    if ((pair === 'required' || some) && isEmpty(cert)) throw missing('CERTIFICATE_MISSING', name, 'cert');
    if ((pair === 'required' || some) && isEmpty(key)) throw missing('PRIVATE_KEY_MISSING', name, 'key');
  }
  if (ca !== undefined && isEmpty(ca)) throw missing('CERTIFICATE_MISSING', name, 'ca');
  if (ca !== undefined && ![ca].flat().every(isReadable)) {
    throw new SecretsError(
      'CERTIFICATE_INVALID',
      `the recipe of the ${name} returned a ca that cannot be read`,
      {
        next: 'Take it from a secret.tls definition, which says what is wrong with it.',
      },
    );
  }
  try {
    return make(options);
  } catch (error) {
    throw new SecretsError(
      'TLS_OPTIONS_INVALID',
      `OpenSSL refuses the TLS options of the ${name} with ${describeError(error)}`,
      { next: 'Take the pair from a secret.tls definition, which says what is wrong with it.' },
    );
  }
}

type Material = SecureContextOptions['cert' | 'key' | 'pfx' | 'ca'];

function isEmpty(material: Material): boolean {
  if (material === undefined || material === null) return true;
  if (Array.isArray(material)) return material.length === 0 || material.some((one) => isEmpty(partOf(one)));
  return (material as string | Buffer).length === 0;
}

/** `{ pem, passphrase }` and `{ buf, passphrase }` are forms that Node takes too. */
function partOf(one: unknown): Material {
  if (typeof one !== 'object' || one === null || ArrayBuffer.isView(one)) return one as Material;
  const { pem, buf } = one as { pem?: Material; buf?: Material };
  return pem ?? buf;
}

function isReadable(ca: string | Buffer): boolean {
  const text = typeof ca === 'string' ? ca : Buffer.from(ca).toString();
  const blocks = text.split(/^(?=-----BEGIN )/m);
  const certificates = blocks.filter((block) => /^-----BEGIN (X509 )?CERTIFICATE-----/.test(block));
  try {
    return certificates.length > 0 && certificates.every((pem) => new X509Certificate(pem));
  } catch {
    return false;
  }
}

function missing(
  code: 'CERTIFICATE_MISSING' | 'PRIVATE_KEY_MISSING',
  name: string,
  option: string,
): SecretsError {
  return new SecretsError(code, `the recipe of the ${name} returned no ${option}`, {
    next: 'Return both halves of a pair, as the value of a secret.tls definition has them.',
  });
}

/** The options that Node makes a context from; given a context, it ignores them. */
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
