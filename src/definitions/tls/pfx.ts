import type { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, SecureContext } from 'node:tls';
import { SecretsError } from '../../errors';
import { builtin } from '../../internal/builtins';
import { errorCode } from '../../internal/describe-error';
import { bounded } from '../../internal/time';
import { type NodeForgeModule, readLegacyPfx } from './legacy-pfx';
import { passphraseMissing, passphraseWrong } from './private-key';

/** A PFX that OpenSSL accepts, or the PEM text of a PFX that it refuses. */
export type OpenedPfx =
  | { readonly pfx: Buffer; readonly leaf: X509Certificate; readonly issuers: readonly X509Certificate[] }
  | { readonly pem: string };

const HANDSHAKE_TIMEOUT_MS = 5_000;

/**
 * Opens a PFX and checks that it contains a key and the certificate of that key.
 * @throws `PFX_INVALID`, `PFX_UNSUPPORTED`, `PASSPHRASE_MISSING`, `PASSPHRASE_WRONG`, `CERTIFICATE_MISSING`,
 * `PRIVATE_KEY_MISSING`.
 */
export async function openPfx(
  alias: string,
  pfx: Buffer,
  passphrase: string | undefined,
  nodeForge?: NodeForgeModule,
): Promise<OpenedPfx> {
  let context: SecureContext;
  try {
    context = builtin('tls').createSecureContext({
      pfx,
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (error) {
    if (errorCode(error) === 'ERR_CRYPTO_UNSUPPORTED_OPERATION') {
      return { pem: readLegacyPfx(alias, pfx, passphrase, nodeForge, true) };
    }
    if (/mac absent/i.test(String(error))) {
      return { pem: readLegacyPfx(alias, pfx, passphrase, nodeForge, false) };
    }
    throw pfxProblem(alias, error as Error, passphrase);
  }
  const [leaf, ...issuers] = await shownBy(context, alias);
  return { pfx, leaf: leaf as X509Certificate, issuers };
}

/** Matches messages of OpenSSL and Node, because only two of these errors have codes. Node 20 to 26 use the same messages. */
function pfxProblem(alias: string, { message }: Error, passphrase: string | undefined): SecretsError {
  if (/mac verify failure/i.test(message)) {
    return passphrase === undefined ? passphraseMissing(alias, 'PFX') : passphraseWrong(alias, 'PFX');
  }
  if (/private key/i.test(message)) {
    return new SecretsError('PRIVATE_KEY_MISSING', `the PFX of "${alias}" has no private key`, {
      secret: alias,
      next: 'Export the PFX again with its key.',
    });
  }
  if (/certificate/i.test(message)) {
    return new SecretsError('CERTIFICATE_MISSING', `the PFX of "${alias}" has no certificate for its key`, {
      secret: alias,
      next: 'Export the PFX again with its certificate.',
    });
  }
  return pfxInvalid(alias);
}

function pfxInvalid(alias: string): SecretsError {
  return new SecretsError('PFX_INVALID', `the PFX of "${alias}" cannot be parsed`, {
    secret: alias,
    next: 'Check the stored file: openssl pkcs12 -in FILE -info -noout',
  });
}

/**
 * Returns the certificates that a context presents to peers, leaf first. Node cannot read them from a PFX, so this performs
 * a handshake in memory, which also rejects a pair that cannot serve.
 */
async function shownBy(context: SecureContext, alias: string): Promise<X509Certificate[]> {
  const { connect, TLSSocket } = builtin('tls');
  const [near, far] = builtin('stream').duplexPair();
  const server = new TLSSocket(far, { isServer: true, secureContext: context });
  const client = connect({ socket: near, rejectUnauthorized: false });
  try {
    const shown = new Promise<X509Certificate[]>((resolve, reject) => {
      server.on('error', reject);
      client.on('error', reject);
      client.once('secureConnect', () => resolve(chainOf(client.getPeerCertificate(true))));
    });
    return await bounded(shown, HANDSHAKE_TIMEOUT_MS, () => pfxInvalid(alias));
  } catch {
    throw pfxInvalid(alias);
  } finally {
    client.destroy();
    server.destroy();
  }
}

function chainOf(leaf: DetailedPeerCertificate): X509Certificate[] {
  const { X509Certificate } = builtin('crypto');
  const chain = [new X509Certificate(leaf.raw)];
  // The last certificate is its own issuer, or has no issuer.
  for (
    let at = leaf;
    at.issuerCertificate !== undefined && at.issuerCertificate !== at;
    at = at.issuerCertificate
  ) {
    chain.push(new X509Certificate(at.issuerCertificate.raw));
  }
  return chain;
}
