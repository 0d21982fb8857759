import { createPrivateKey } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { SecretsError } from '../../errors';
import { serveContext } from '../tls/context-slot';
import { checkedContext, contextOptionsOf, withoutPfx } from '../tls/secure-context';

/** What a recipe returns: what gRPC takes of the options of a TLS context. */
export type CertificateOptions = Pick<SecureContextOptions, 'cert' | 'key' | 'ca' | 'pfx' | 'passphrase'>;

/** A pair and authorities of one generation, as gRPC takes them. `undefined` means what Node means by it. */
export interface Material {
  readonly options: SecureContextOptions;
  readonly certificate: Buffer | undefined;
  readonly privateKey: Buffer | undefined;
  readonly caCertificate: Buffer | undefined;
}

const CARRIED: readonly (keyof CertificateOptions)[] = ['cert', 'key', 'ca', 'pfx', 'passphrase'];

/**
 * Checks what a recipe returned, as for a TLS server or client of Node, and that nothing is missing that the material before had:
 * without authorities, Node would trust the public ones.
 * @throws `CERTIFICATE_CHAIN_BROKEN`, `CERTIFICATE_CHAIN_INCOMPLETE`, `CERTIFICATE_PURPOSE_WRONG`, `CERTIFICATE_KEY_UNSUPPORTED`,
 * `CERTIFICATE_MISSING`, `CERTIFICATE_INVALID`, `PRIVATE_KEY_MISSING`, `TLS_OPTIONS_INVALID`.
 */
export function materialOf(
  name: string,
  side: 'server' | 'client',
  returned: CertificateOptions,
  before: Material | undefined,
  shorterChain: 'reject' | 'accept',
): Material {
  if (!CARRIED.some((option) => returned[option] !== undefined)) {
    throw new SecretsError(
      'RECIPE_FAILED',
      `the recipe of the ${name} returned none of ${CARRIED.join(', ')}`,
      {
        next: "Return what the certificates are: (s) => s.reveal('web'), or { cert, key, ca }.",
      },
    );
  }
  const ignored = Object.keys(contextOptionsOf(returned) ?? {}).find(
    (option) => !(CARRIED as readonly string[]).includes(option),
  );
  if (ignored !== undefined) {
    const what = `the recipe of the ${name} returned \`${ignored}\`, which gRPC takes no note of`;
    throw new SecretsError('TLS_OPTIONS_INVALID', what, {
      next: 'Return cert, key and ca only; `node --tls-min-v1.3` and `--tls-cipher-list` set the rest for the process.',
    });
  }
  const options = checked(name, side, returned, shorterChain === 'reject' ? before?.options : undefined);
  for (const option of ['ca', 'cert'] as const) {
    if (before?.options[option] === undefined || options[option] !== undefined) continue;
    throw new SecretsError(
      'CERTIFICATE_MISSING',
      `the recipe of the ${name} returned no ${option} this time`,
      {
        next: `Return it each time: without it, ${option === 'ca' ? 'public authorities would be trusted' : 'servers would not know this client'}.`,
      },
    );
  }
  return {
    options,
    certificate: bufferOf(only(name, 'cert', options.cert)),
    privateKey: privateKeyOf(name, options),
    caCertificate: options.ca === undefined ? undefined : joined([options.ca].flat()),
  };
}

function checked(
  name: string,
  side: 'server' | 'client',
  returned: CertificateOptions,
  before: SecureContextOptions | undefined,
): SecureContextOptions {
  if (side === 'server') return serveContext(name, returned, { before }).options;
  const options = withoutPfx(name, returned);
  checkedContext(name, options, 'optional');
  return options;
}

/** Node also takes several certificates, of which it presents the one that the client knows; gRPC takes one. */
function only(name: string, option: string, given: unknown): unknown {
  const [one, ...others] = [given].flat();
  if (others.length === 0) return one;
  throw new SecretsError(
    'TLS_OPTIONS_INVALID',
    `the recipe of the ${name} returned a list as \`${option}\``,
    {
      next: 'gRPC takes one certificate, followed by its chain, and one key.',
    },
  );
}

function bufferOf(pem: unknown): Buffer | undefined {
  return pem === undefined ? undefined : Buffer.from(pem as string);
}

/** gRPC takes no passphrase. */
function privateKeyOf(name: string, { key, passphrase }: SecureContextOptions): Buffer | undefined {
  const one = only(name, 'key', key) as
    | string
    | { readonly pem?: string; readonly passphrase?: string }
    | undefined;
  const { pem = one, passphrase: own = passphrase } = typeof one === 'object' ? one : {};
  if (own === undefined) return bufferOf(pem);
  const decrypted = createPrivateKey({ key: pem as string, passphrase: own });
  return bufferOf(decrypted.export({ type: 'pkcs8', format: 'pem' }));
}

function joined(parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.from(parts.map(String).join('\n'));
}
