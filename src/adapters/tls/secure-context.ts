import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import {
  assertChain,
  assertPurpose,
  certificatesOf,
  intermediates,
  type Use,
} from '../../definitions/tls/chain';
import { readMaterial } from '../../definitions/tls/read-material';
import { SecretsError } from '../../errors';
import { describeError } from '../../internal/describe-error';

/**
 * Builds a context from the options of the resource `name`, so that what OpenSSL refuses fails here, before it reaches
 * a server or a client. `pair: 'required'` is for servers; clients may have no pair, but not half of one.
 *
 * Node silently accepts empty strings, a certificate without its key, and a `ca` that it cannot read, and then refuses
 * every handshake.
 *
 * `make` replaces the creation of a context as the check by OpenSSL.
 *
 * @throws `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`.
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
  returned: SecureContextOptions,
  pair: 'required' | 'optional',
  make: (options: SecureContextOptions) => unknown = createSecureContext,
): unknown {
  const options = withoutPfx(name, returned);
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
        next: 'Use a secret.tls definition for it, whose error says what is wrong.',
      },
    );
  }
  assertAccepted(name, options, pair === 'required' ? 'server' : 'client');
  try {
    return make(options);
  } catch (error) {
    throw new SecretsError(
      'TLS_OPTIONS_INVALID',
      `OpenSSL refuses the TLS options of the ${name} with ${describeError(error)}`,
      { next: 'Use a secret.tls definition for the pair, whose error says what is wrong.' },
    );
  }
}

/** Checks what OpenSSL leaves to the peer. A `secret.tls` has checked the chain already, but a recipe may return any text. */
function assertAccepted(name: string, { cert }: SecureContextOptions, use: Use): void {
  for (const [leaf, ...others] of chainsOf(cert)) {
    if (leaf === undefined) continue;
    assertChain(name, leaf, others);
    assertPurpose(name, use, leaf, others);
  }
}

/**
 * Checks that a new pair sends intermediates if the one before did: clients that needed them would refuse it.
 * @throws `CERTIFICATE_CHAIN_INCOMPLETE`.
 */
export function assertAsComplete(
  name: string,
  next: SecureContextOptions,
  before: SecureContextOptions,
): void {
  const fewest = (chains: X509Certificate[][]) => Math.min(...chains.map((one) => intermediates(one) ?? 1));
  if (fewest(chainsOf(before.cert)) === 0 || fewest(chainsOf(next.cert)) > 0) return;
  const what = `the new certificate of the ${name} comes without intermediates, which the one before had`;
  throw new SecretsError('CERTIFICATE_CHAIN_INCOMPLETE', what, {
    next: "Store the certificate followed by its chain. If clients need none, set shorterChain: 'accept'.",
  });
}

function chainsOf(cert: SecureContextOptions['cert'] = []): X509Certificate[][] {
  try {
    return [cert].flat().map(certificatesOf);
  } catch {
    // OpenSSL says why.
    return [];
  }
}

/**
 * Replaces a PFX by its certificate and key: Node would also trust every certificate in it. An explicit certificate and key win.
 * @throws `TLS_OPTIONS_INVALID`.
 */
export function withoutPfx(name: string, options: SecureContextOptions): SecureContextOptions {
  if (isEmpty(options.pfx)) return options;
  const { pfx, passphrase, ...rest } = options;
  const pairs = [pfx].flat().map((one) => {
    const { buf = one, passphrase: own = passphrase } = one as { buf?: string | Buffer; passphrase?: string };
    return pairOfPfx(name, typeof buf === 'string' ? Buffer.from(buf, 'latin1') : (buf as Buffer), own);
  });
  const keys = isEmpty(rest.key) ? {} : { passphrase };
  return { cert: pairs.map(({ cert }) => cert), key: pairs.map(({ key }) => key), ...keys, ...rest };
}

function pairOfPfx(name: string, pfx: Buffer, passphrase: string | undefined): { cert: string; key: string } {
  try {
    return readMaterial({
      alias: name,
      pair: [[name, pfx]],
      ca: undefined,
      passphrase,
      expired: 'warn',
      nodeForge: undefined,
    });
  } catch (error) {
    const { what, next } = error as SecretsError;
    throw new SecretsError('TLS_OPTIONS_INVALID', `the recipe of the ${name} returned a bad PFX: ${what}`, {
      next,
    });
  }
}

type Material = SecureContextOptions['cert' | 'key' | 'pfx' | 'ca'];

function isEmpty(material: Material): boolean {
  if (material === undefined || material === null) return true;
  if (Array.isArray(material)) return material.length === 0 || material.some((one) => isEmpty(partOf(one)));
  return (material as string | Buffer).length === 0;
}

/** Node also accepts `{ pem, passphrase }` and `{ buf, passphrase }`. */
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
    next: 'Return the certificate and its key, for example the value of a secret.tls definition.',
  });
}

/** The options that Node makes a context from. It ignores them when it gets a context. */
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

// Spreading the value of a `secret.tls` adds `leaf`.
const OMITTED: ReadonlySet<string> = new Set([...CONTEXT_OPTIONS, 'secureContext', 'leaf']);

/** Options of TLS connections, which may include a context. */
export type SecureOptions = SecureContextOptions & { readonly secureContext?: SecureContext | undefined };

/** Returns the options that a context is made of, or `undefined` if there are none. */
export function contextOptionsOf(options: object): SecureContextOptions | undefined {
  const given = options as Readonly<Record<string, unknown>>;
  const names = CONTEXT_OPTIONS.filter((name) => given[name] !== undefined);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, given[name]]));
}

/** Returns the other options. */
export function withoutContextOptions<O extends object>(options: O): O {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OMITTED.has(name))) as O;
}

/**
 * Makes the context that the options describe, once instead of for each connection: a bad pair is found here, and nothing
 * that a client keeps, prints or uses as a connection's name holds a key afterwards.
 * @throws `CERTIFICATE_MISSING`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`,
 * `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`.
 */
export function contextFor(name: string, options: SecureOptions): SecureContext {
  return options.secureContext ?? checkedContext(name, options, 'optional');
}
